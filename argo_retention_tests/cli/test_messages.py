"""What an operator is told, word for word: each text is a file in testdata/messages/.

`WRITE_MESSAGES=1 pytest argo_retention_tests/cli/test_messages.py` writes them anew, to be read before they
are committed.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from argo_retention.demo.kube_api.process import KubeApiProcess
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention_tests.cli.bad_inputs import (
    CASES,
    WRONG_PASSWORD,
    WRONG_S3_KEY,
    Scene,
    doctor,
    installed,
)
from argo_retention_tests.cli.operators_world import (
    ADMIN,
    CONFIG_MAP,
    NOBODY,
    POWERLESS,
    OperatorsWorld,
    run,
    write_access,
)

MESSAGES = Path(__file__).parents[1] / "testdata" / "messages"


@pytest.fixture(scope="module")
def shared(postgres: PostgresServer, argo_template: str, s3: S3Server) -> tuple[str, str]:
    """A database and a bucket for all cases: making them takes longer than most commands."""
    s3.create_bucket("messages")
    return postgres.create_database("messages", template=argo_template), "messages"


@pytest.fixture
def scene(
    operators_world: OperatorsWorld,
    shared: tuple[str, str],
    postgres: PostgresServer,
    argo_template: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    return Scene(
        world=operators_world,
        database=shared[0],
        bucket=shared[1],
        postgres=postgres,
        argo_template=argo_template,
        monkeypatch=monkeypatch,
    )


@pytest.mark.parametrize("name", CASES)
def test_a_bad_input_is_answered_by_this_text(name: str, scene: Scene) -> None:
    """At most three lines, the exit code, no traceback, no secret."""
    ended = run(*CASES[name](scene, name))

    texts, mends = [ended.err.strip()], []
    if not ended.err:
        failed = [each for each in json.loads(ended.out)["findings"] if each["status"] == "failed"]
        texts = [f"{each['check']}: {each['what']}" for each in failed]
        mends = [each["mend"] for each in failed if each["mend"]]
    assert ended.code in (1, 2), ended
    assert texts
    for text in texts:
        assert len(text.splitlines()) <= 3
    compare(name, "\n".join([f"exit code {ended.code}", *texts, *mends]), scene)


def test_several_installations_are_told_apart_by_the_settings(
    tmp_path: Path, s3: S3Server, scene: Scene
) -> None:
    write_access(tmp_path)
    with KubeApiProcess() as process:
        world = OperatorsWorld(process.start(tmp_path), tmp_path, s3)
        for namespace in ("argo", "argo-test"):
            world.install(namespace, database=scene.database)
        ended = run("adopt", "--config", str(world.settings("several", argo={})))
        world.close()

    compare("argo-several-installations", f"exit code {ended.code}\n{ended.err.strip()}", scene)


def test_each_text_has_its_case() -> None:
    """No file is left behind by a case that is gone."""
    assert {path.stem for path in MESSAGES.glob("*.txt")} == {
        *CASES,
        "argo-several-installations",
        "doctor",
        "doctor-failing",
        "adopt",
    }


def test_doctor_and_adopt_of_a_usual_installation(scene: Scene) -> None:
    installed(scene, "usual")
    path = str(scene.world.settings("usual"))

    doctor_ended, adopt_ended = (run(command, "--config", path) for command in ("doctor", "adopt"))

    assert doctor_ended.err == adopt_ended.err == ""
    compare("doctor", f"exit code {doctor_ended.code}\n{doctor_ended.out.strip()}", scene)
    compare("adopt", f"exit code {adopt_ended.code}\n{adopt_ended.out.strip()}", scene)


def test_the_program_itself_ends_with_these_codes(scene: Scene) -> None:
    """As a person starts it: 0 done, 1 something failed, 2 bad input; JSON on stdout, errors on stderr."""
    installed(scene, "program")
    starts = {
        0: doctor(scene, "program"),
        1: doctor(scene, "nothing-there"),
        2: ["adopt", "--config", str(scene.world.write("program-wrong", "clusters: 1\n"))],
    }
    children = {
        code: subprocess.Popen(
            [sys.executable, "-m", "argo_retention.cli", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for code, args in starts.items()
    }

    ended = {
        code: (*child.communicate(timeout=60), child.returncode) for code, child in children.items()
    }

    assert {code: each[2] for code, each in ended.items()} == {0: 0, 1: 1, 2: 2}
    assert json.loads(ended[0][0])["failed"] == 0
    assert json.loads(ended[1][0])["failed"] == 1
    assert ended[2][0] == ""
    assert "key clusters: expected a map, found 1" in ended[2][1]
    assert not any("Traceback" in text for each in ended.values() for text in each[:2])


def test_adopt_as_json_is_one_document(scene: Scene) -> None:
    installed(scene, "adopted")

    ended = run("adopt", "--json", "--config", str(scene.world.settings("adopted")))

    document = json.loads(ended.out)
    assert document["configmap"] == f"adopted/{CONFIG_MAP}"
    assert document["patch"]["data"]["retentionPolicy"] is None
    assert len(document["commands"]) == 2


def test_doctor_goes_on_after_a_failure(scene: Scene) -> None:
    path = str(scene.world.settings("failing"))
    installed(
        scene,
        "failing",
        bucket="no-such-bucket",
        database_secret={"username": "postgres", "password": WRONG_PASSWORD},
    )

    ended = run("doctor", "--config", path)

    compare("doctor-failing", f"exit code {ended.code}\n{ended.out.strip()}", scene)


def compare(name: str, text: str, scene: Scene) -> None:
    for secret in (ADMIN, POWERLESS, NOBODY, WRONG_PASSWORD, WRONG_S3_KEY):
        assert secret not in text
    assert scene.world.s3.secret_key not in text
    assert "Traceback" not in text
    path = MESSAGES / f"{name}.txt"
    text = timeless(text, scene) + "\n"
    if os.environ.get("WRITE_MESSAGES"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text()


def timeless(text: str, scene: Scene) -> str:
    """Without what differs from run to run: folders, ports, names of databases and buckets."""
    text = text.replace(str(scene.world.folder), "FOLDER")
    text = re.sub(r"port: \d+", "port: PORT", text)
    text = re.sub(r"port \d+", "port PORT", text)
    text = re.sub(r"resourceVersion: '\d+'", "resourceVersion: 'VERSION'", text)
    text = re.sub(r"PostgreSQL \d+\.\d+", "PostgreSQL 0.0", text)
    text = re.sub(r"argo-retention/(probe|clock)/[0-9a-f]{32}", r"argo-retention/\1/RANDOM", text)
    text = re.sub(r"at most \d s", "at most 0 s", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
