"""The command `demo` by itself, as a person starts it; these take longest, and all of them run at the same time."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

Ended = subprocess.CompletedProcess[str]
COMMANDS: dict[str, list[str]] = {
    "json": ["--json", "--hello-worlds", "12", "--keep-count", "4"],
    "broken": ["--break", "db"],
}
SECONDS = 110


@pytest.fixture(scope="module")
def demos() -> Iterator[dict[str, Future[Ended]]]:
    binary = Path(sys.executable).parent / "argo-retention"

    def run(options: list[str]) -> Ended:
        return subprocess.run(
            [str(binary), "demo", *options],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    with ThreadPoolExecutor(len(COMMANDS)) as pool:
        yield {name: pool.submit(run, options) for name, options in COMMANDS.items()}


def test_the_demo_prints_one_document_with_json_whose_numbers_follow_its_options(
    demos: dict[str, Future[Ended]],
) -> None:
    ended = demos["json"].result()

    document = json.loads(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert document["hello-world"] == {"finished": 12, "archived": 12, "kept": 4, "deleted": 8}
    fleet = document["clusters"]["fleet"]
    assert fleet["kept"] + fleet["deleted"] == fleet["finished"]
    assert len(document["runs"]) == 6


def test_p1_the_demo_with_a_broken_part_deletes_nothing(demos: dict[str, Future[Ended]]) -> None:
    ended = demos["broken"].result()

    assert ended.returncode == 1, ended.stderr
    fleet, seed = ended.stdout.splitlines()[-2:]
    assert " 0 deleted" in fleet
    assert seed.endswith(" 0 deleted")
    assert "Traceback" not in ended.stdout + ended.stderr
