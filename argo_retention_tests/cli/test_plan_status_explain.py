"""`plan`, `status` and `explain` on a real PostgreSQL, a real S3 and the emulated API, before and after a run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.operations.collecting import collect
from argo_retention.operations.expiry_plans import make_expiry_plan
from argo_retention.operations.planning import make_plan
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.cli.operators_world import run
from argo_retention_tests.cli.seeded import FOUND, HOSTILE, KEPT, Installed, archive, installation


@pytest.fixture(scope="module")
def installed(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    argo_template: str,
    s3: S3Server,
) -> Iterator[Installed]:
    """Before any run."""
    folder = tmp_path_factory.mktemp("installed")
    with installation(folder, postgres, argo_template, s3) as world:
        yield world


@pytest.fixture(scope="module")
def after_run(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    argo_template: str,
    s3: S3Server,
) -> Iterator[Installed]:
    """All archived and proven, nothing deleted yet."""
    folder = tmp_path_factory.mktemp("after-run")
    with installation(folder, postgres, argo_template, s3) as world:
        archive(world)
        yield world


@pytest.fixture(scope="module")
def after_deletion(
    tmp_path_factory: pytest.TempPathFactory,
    postgres: PostgresServer,
    argo_template: str,
    s3: S3Server,
) -> Iterator[Installed]:
    """Archived, and the policy carried out; an expiry plan is made and not used."""
    folder = tmp_path_factory.mktemp("after-deletion")
    with installation(folder, postgres, argo_template, s3) as world:
        archive(world)
        with world.running("run-delete") as (site, grant):
            take_snapshot(site, grant)
            make_plan(site, grant)
            collect(site, grant)
            make_expiry_plan(site, grant)
        yield world


# -- before any run -----------------------------------------------------------------------------------------


def test_plan_before_the_first_run_says_what_to_do_next(installed: Installed) -> None:
    ended = run("plan", "--config", installed.config(), "--limit", "1")

    assert (ended.code, ended.err) == (0, "")
    assert "No run was here yet" in ended.out
    assert "argo-retention run archive" in ended.out
    assert "(first 1 of" in ended.out


def test_status_before_the_first_run(installed: Installed) -> None:
    ended = run("status", "--config", installed.config())

    assert ended.code == 0
    assert "no run was here yet" in ended.out


def test_explain_before_the_first_run(installed: Installed) -> None:
    ended = run("explain", f"argo/{installed.oldest_first[0]}", "--config", installed.config())

    assert ended.code == 0
    assert "hold back: is not proven in the archive" in ended.out


def test_status_shows_the_others_when_one_cluster_cannot_be_reached(installed: Installed) -> None:
    path = Path(installed.config())
    document = yaml.safe_load(path.read_text())
    document["clusters"]["away"] = {"kubeconfig": str(installed.folder / "no-such-kubeconfig")}
    path.write_text(yaml.safe_dump(document))

    ended, as_json = (
        run("status", "--config", str(path)),
        run("status", "--config", str(path), "--json"),
    )

    assert ended.code == 2
    assert "away: " in ended.out
    assert "no-such-kubeconfig" in ended.out
    assert "argo-workflows-workflow-controller-configmap" in ended.out
    clusters = json.loads(as_json.out)["clusters"]
    assert (as_json.code, set(clusters["away"])) == (2, {"error"})
    assert clusters["seed"]["archive_ready"] is False


# -- after an archive run -----------------------------------------------------------------------------------


def test_plan_names_what_goes_what_is_held_back_and_why(after_run: Installed) -> None:
    ended = run("plan", "--config", after_run.config(), "--json", "--limit", "3")

    document = json.loads(ended.out)
    retention = document["retention"]
    assert (ended.code, document["refusals"], document["mode"]) == (0, [], "apply")
    assert (retention["found"], retention["delete"], retention["hold_back"]) == (
        FOUND,
        FOUND - KEPT - 1,
        1,
    )
    assert retention["by_rule"][0]["rule"] == "retentionPolicy"
    assert len(retention["deletions"]) == 3
    assert retention["deletions"][0]["name"] == after_run.oldest_first[0]
    assert retention["held_back"][0]["reason"] == "held"
    assert HOSTILE in retention["held_back"][0]["sentence"]


@pytest.mark.parametrize("command", ["plan", "explain"])
def test_foreign_text_neither_commands_the_terminal_nor_forges_lines(
    after_run: Installed, command: str
) -> None:
    subject = [f"argo/{after_run.oldest_first[1]}"] if command == "explain" else []

    ended = run(command, *subject, "--config", after_run.config())

    assert ended.code == 0
    assert "\x1b" not in ended.out
    assert "\u202e" not in ended.out
    assert not [line for line in ended.out.splitlines() if line.startswith("FORGED")]
    assert r"\x1b[31m[bold red]audit[/]\nFORGED: all is well \u202e" in ended.out


def test_plan_counts_the_runs_of_a_backlog(after_run: Installed) -> None:
    brakes = {"max_share": 1.0, "max_deletions": 20}

    ended = run("plan", "--config", after_run.config(brakes=brakes))

    assert ended.code == 0
    assert (
        "32 more wait for later runs by brakes.max_deletions: all of them take 3 runs." in ended.out
    )


def test_plan_of_a_run_that_never_ends(after_run: Installed) -> None:
    brakes = {"max_share": 1.0, "max_deletions": 0}

    ended = run("plan", "--config", after_run.config(brakes=brakes))

    assert "it is 0, so they wait for ever" in ended.out


def test_plan_ends_with_1_when_a_brake_refuses(after_run: Installed) -> None:
    ended = run("plan", "--config", after_run.config(brakes={"max_share": 0.1}))

    assert ended.code == 1
    assert "A run would refuse: 52 of 55 finished workflows would be deleted" in ended.out


def test_plan_says_when_rows_would_expire(after_run: Installed) -> None:
    settings = {"argo": {"archiveTTL": "1m"}, "expiry": {"while_live": "expire"}}

    ended = run("plan", "--config", after_run.config(**settings), "--limit", "1")

    assert ended.code == 0
    assert "seed: expiry by rule" in ended.out
    assert "its archive TTL is 1m (still in the cluster)" in ended.out


def test_explain_tells_logs_proof_and_what_both_plans_say(after_run: Installed) -> None:
    name = after_run.oldest_first[0]

    ended = run("explain", f"argo/{name}", "--config", after_run.config(), "--json")

    (life,) = json.loads(ended.out)["workflows"]
    assert life["standing"] == "in the cluster (Succeeded), archived"
    assert life["row"]["is_proven"] is True
    assert [(log["container"], log["state"]) for log in life["logs"]] == [("main", "stored")]
    assert (life["retention"]["verdict"], life["retention"]["rank"]) == ("remove", FOUND)
    assert life["expiry"]["reason"] == "within_ttl"
    assert "workflows.argoproj.io/phase" in life["live"]["labels"]


# -- after a retention run ----------------------------------------------------------------------------------


def test_explain_tells_of_a_deleted_one_by_whom_and_why(after_deletion: Installed) -> None:
    name = after_deletion.oldest_first[0]

    ended = run("explain", f"argo/{name}", "--config", after_deletion.config())

    assert ended.code == 0
    assert "archived, not in the cluster any more" in ended.out
    assert f"deleted from the cluster: is number {FOUND} of the Succeeded ones" in ended.out
    assert f"(rule retentionPolicy, rank {FOUND}; plan " in ended.out
    assert "run run-delete, by the test)" in ended.out


def test_explain_by_uid_is_the_same(after_deletion: Installed) -> None:
    config = after_deletion.config()
    by_name = run("explain", f"argo/{after_deletion.oldest_first[0]}", "--config", config, "--json")
    uid = json.loads(by_name.out)["workflows"][0]["uid"]

    assert run("explain", uid, "--config", config, "--json").out == by_name.out


def test_status_counts_and_names_the_last_plans(after_deletion: Installed) -> None:
    config = after_deletion.config()

    ended, as_json = run("status", "--config", config), run("status", "--config", config, "--json")

    seen = json.loads(as_json.out)["clusters"]["seed"]
    assert (ended.code, as_json.code) == (0, 0)
    assert seen["counts"]["rows"] == FOUND
    assert seen["counts"]["deletions_deleted"] == FOUND - KEPT - 1
    assert seen["lease"] is None
    assert seen["plans"]["retention"]["state"] == "applied"
    assert seen["plans"]["expiry"]["state"] == "made"
    assert f"{FOUND - KEPT - 1} deleted" in ended.out
    assert seen["plans"]["retention"]["plan_id"] in ended.out


def test_status_names_who_holds_the_lease(after_deletion: Installed) -> None:
    with after_deletion.running("run-of-tuesday"):
        ended = run("status", "--config", after_deletion.config(), "--cluster", "seed")

    assert "run run-of-tuesday on here since " in ended.out


@pytest.mark.parametrize("kind", ["retention", "expiry"])
def test_a_kept_plan_is_shown_by_its_id(after_deletion: Installed, kind: str) -> None:
    config = after_deletion.config()
    seen = json.loads(run("status", "--config", config, "--json").out)["clusters"]["seed"]
    plan_id = seen["plans"][kind]["plan_id"]

    ended = run("plan", "--config", config, "--plan-id", plan_id)
    as_json = run("plan", "--config", config, "--plan-id", plan_id, "--json")

    assert (ended.code, as_json.code) == (0, 0)
    document = json.loads(as_json.out)
    assert document["kept"]["kind"] == kind
    assert [document["retention"] is None, document["expiry"] is None].count(True) == 1
    assert f"seed: {kind} plan {plan_id} of run run-delete, made " in ended.out


# -- bad input, as a process ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("explain", "argo/nothing"), 2, "no workflow argo/nothing in cluster, archive or ledger"),
        (("plan", "--plan-id", "1234"), 2, "There is no plan 1234 for cluster seed"),
        (("plan", "--cluster", "prod"), 2, "There is no cluster 'prod' in the settings"),
        (("plan", "--limit", "-1"), 2, "--limit"),
    ],
)
def test_bad_input(installed: Installed, arguments: tuple[str, ...], code: int, says: str) -> None:
    ended = run(*arguments, "--config", installed.config())

    assert (ended.code, ended.out) == (code, "")
    assert says in ended.err


def test_as_a_process(installed: Installed) -> None:
    """Exit codes reach the shell, and stdout is the document and nothing else."""
    environment = os.environ | {"ARGO_RETENTION_CONFIG": installed.config()}

    def argo_retention(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from argo_retention.cli.main import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    shown, unknown = argo_retention("plan", "--json"), argo_retention("explain", "argo/nothing")

    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["cluster"] == "seed"
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert len(unknown.stderr.splitlines()) <= 3


def test_these_commands_start_without_dagster() -> None:
    """Importing Dagster takes longer than looking."""
    code = (
        "import sys; import argo_retention.cli.plan, argo_retention.cli.status, "
        "argo_retention.cli.explain; sys.exit('dagster' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
