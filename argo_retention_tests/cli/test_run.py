"""`argo-retention run` as operators call it: a process, its exit code, what it prints."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from argo_retention.core.ledger import LeaseGrant
from argo_retention.operations.leasing import held_lease
from argo_retention.sites import open_site
from argo_retention_tests.e2e.conftest import SeedWorld, new_seed, servers
from argo_retention_tests.e2e.forking import run_command
from argo_retention_tests.e2e.worlds import World

__all__ = ["new_seed", "servers"]  # fixtures of the whole runs


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Commands on one world, with a Dagster instance of its own."""

    world: World
    home: Path

    def __call__(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        config = self.home / "retention.yaml"
        config.write_text(self.world.settings_text)
        given = {"DAGSTER_HOME": str(self.home), "ARGO_RETENTION_CONFIG": str(config)}
        return run_command(["run", *arguments], given | environment)


@pytest.fixture
def shell(new_seed: SeedWorld, tmp_path: Path) -> Shell:
    return make_shell(tmp_path, new_seed(hello_worlds=5, keep_count=2))


def make_shell(folder: Path, world: World) -> Shell:
    home = folder / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return Shell(world=world, home=home)


@contextmanager
def at_work(world: World) -> Iterator[LeaseGrant]:
    """Another run holds the lease."""
    with open_site(
        world.settings, world.scene.name, run_id="other", root_run="other", by_whom="another"
    ) as site:
        site.archive.migrate()
        with held_lease(
            site.archive,
            clustername=site.installation.clustername,
            instanceid=site.installation.instanceid,
            root_run="other-run",
            host="another-host",
            is_finished=lambda _: False,
        ) as grant:
            yield grant


def test_all_three_jobs_end_with_0_and_print_what_they_did(shell: Shell) -> None:
    archive = shell("archive", "--json")
    retention = shell("retention")
    expiry = shell("expiry", "--json")

    assert [each.returncode for each in (archive, retention, expiry)] == [0, 0, 0]
    document = json.loads(archive.stdout)
    assert (document["job"], document["cluster"]) == ("argo_archive", "seed")
    assert document["assets"]["archived_workflows"]["archived"] == 5
    lines = retention.stdout.splitlines()
    assert "deleted   3" in lines
    assert lines[-1].endswith("of argo_retention: done")
    assert json.loads(expiry.stdout)["assets"]["expiry_outcome"]["expired"] == 0
    assert len(shell.world.live()) == 2


def test_p7_a_second_run_is_told_who_works_on_it_since_when_and_ends_with_3(shell: Shell) -> None:
    with at_work(shell.world):
        refused = shell("retention", "--json")

    assert refused.returncode == 3
    failure = json.loads(refused.stdout)["failure"]
    assert "is worked on by run other-run on another-host since 20" in failure
    assert len(shell.world.live()) == 5


def test_a_plan_that_is_not_there_ends_with_1(shell: Shell) -> None:
    refused = shell("retention", "--plan-id", "0123456789abcdef0123")

    assert refused.returncode == 1
    assert "There is no plan 0123456789abcdef0123 for cluster seed." in refused.stdout
    assert len(shell.world.live()) == 5


def test_p2_a_plan_over_its_brake_says_how_to_let_it_pass_once(
    new_seed: SeedWorld, tmp_path: Path
) -> None:
    shell = make_shell(tmp_path, new_seed(hello_worlds=55, keep_count=2))
    assert len(shell.world.live()) == 55
    refused = shell("retention")

    assert refused.returncode == 1
    text = " ".join(refused.stdout.split())
    [said] = set(re.findall(r"--plan-id ID --allow-deletions (\d+)", text))
    assert len(shell.world.live()) == 55
    [plan] = re.findall(r"plan id +(\w{20})", refused.stdout)

    passed = shell("retention", "--plan-id", plan, "--allow-deletions", said)

    assert passed.returncode == 0, passed.stdout
    assert len(shell.world.live()) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["archive", "--plan-id", "x"], "--plan-id goes with `run retention` only."),
        (["retention", "--allow-deletions", "3"], "--allow-deletions goes with --plan-id"),
        (["archive", "--cluster", "sead"], "There is no cluster 'sead'"),
        (["archive", "--submit", "--webserver", "here:80"], "expected http://host:port"),
        (["archive", "--submit", "--webserver", "http://h:port"], "expected http://host:port"),
        (["archive", "--submit", "--webserver", "http://127.0.0.1:9"], "did not take the run"),
        (["everything"], "is not one of 'archive', 'retention', 'expiry'"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_bad_input_is_one_clear_line_and_ends_with_2(
    shell: Shell, arguments: list[str], expected: str
) -> None:
    refused = shell(*arguments)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert expected in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.splitlines()) <= 4


@pytest.mark.parametrize("home", ["", "/no/such/folder", "not/absolute"])
def test_without_dagster_home_it_is_said_what_to_set(shell: Shell, home: str) -> None:
    refused = shell("archive", DAGSTER_HOME=home)

    assert refused.returncode == 2
    assert "DAGSTER_HOME" in refused.stderr
    assert "Traceback" not in refused.stderr
