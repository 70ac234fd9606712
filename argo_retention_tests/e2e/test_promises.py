"""The promises P1 and P3 to P7 on whole runs; P2 and P8 have files of their own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from argo_retention.cli.executing import RunOutcome
from argo_retention.defs.jobs import (
    APPLY_PLAN_JOB,
    ARCHIVE_JOB,
    EXPIRY_JOB,
    PLAN_JOB,
    RETENTION_JOB,
)
from argo_retention_tests.e2e.conftest import SeedWorld, Worked
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import JOBS, World, later, workflow_path

ONE_MINUTE = {"archiveTTL: 180d": "archiveTTL: 1m"}
EXCLUSIVE = {"exclusive": True}
MAIN_LOGS = "main-logs"


# -- P1 ---------------------------------------------------------------------------------------------------


def rewrite_row(world: World, uid: str) -> None:
    """As Argo's archive worker does: without what we added."""
    world.execute(
        "UPDATE argo_archived_workflows SET workflow = workflow || '{\"x\": 1}' WHERE uid = %s", uid
    )


def remove_row(world: World, uid: str) -> None:
    world.execute("DELETE FROM argo_archived_workflows WHERE uid = %s", uid)


def unsettle_log(world: World, uid: str) -> None:
    world.execute(
        "UPDATE argo_retention.log_objects SET state = 'unsettled', reason = 'x' WHERE uid = %s",
        uid,
    )


def change_workflow(world: World, uid: str) -> None:
    world.annotate(workflow_path(world.live()[uid]), {"somebody": "was here"})


def run_again(world: World, uid: str) -> None:
    """As `argo retry` does: it is not completed any more."""
    labels = {
        "workflows.argoproj.io/completed": None,
        "workflows.argoproj.io/phase": "Running",
    }
    world.ask("PATCH", workflow_path(world.live()[uid]), {"metadata": {"labels": labels}})


@pytest.mark.parametrize(
    ("happens", "says"),
    [
        pytest.param(rewrite_row, "its archive row is not the one that was proven", id="row"),
        pytest.param(remove_row, "its archive row is gone", id="no-row"),
        pytest.param(unsettle_log, "not settled", id="log"),
        pytest.param(change_workflow, "changed since the plan", id="changed"),
        pytest.param(run_again, "changed since the plan", id="retried"),
    ],
)
def test_p1_what_changed_since_the_plan_stays_and_the_ledger_says_why(
    new_seed: SeedWorld, happens: Callable[[World, str], None], says: str
) -> None:
    world = new_seed(hello_worlds=4, keep_count=1)
    plan = world.succeed(PLAN_JOB)
    uid = next(
        uid
        for uid, decision in world.decisions(plan, "retention_plan").items()
        if decision["verdict"] == "remove"
    )
    happens(world, uid)
    config = {"plan_id": plan.assets["retention_plan"]["plan_id"]}

    world.run(APPLY_PLAN_JOB, run_config={"ops": {"argo__retention_outcome": {"config": config}}})

    assert uid in world.live()
    assert len(world.live()) == 2
    [outcome] = [d["outcome"] for d in world.ledger("deletions") if d["uid"] == uid]
    assert says in outcome


def test_p1_a_workflow_of_the_same_name_made_since_the_plan_stays(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=4, keep_count=1)
    plan = world.succeed(PLAN_JOB)
    decisions = world.decisions(plan, "retention_plan")
    old = world.live()[next(uid for uid, d in decisions.items() if d["verdict"] == "remove")]
    world.delete(old)
    metadata = {key: old["metadata"][key] for key in ("name", "namespace", "labels")}
    path = workflow_path(old).rpartition("/")[0]
    new = world.ask("POST", path, {**old, "metadata": metadata})
    config = {"plan_id": plan.assets["retention_plan"]["plan_id"]}

    world.run(APPLY_PLAN_JOB, run_config={"ops": {"argo__retention_outcome": {"config": config}}})

    assert new["metadata"]["uid"] in world.live()


def test_p1_a_label_that_says_archived_proves_nothing(new_seed: SeedWorld) -> None:
    """Rows that were removed behind a patched label are written again before anything goes."""
    world = new_seed(hello_worlds=4, keep_count=4)
    world.succeed(ARCHIVE_JOB)
    world.execute("DELETE FROM argo_archived_workflows")
    world.overrides = {"argo": {"retentionPolicy": {"completed": 1}}}

    world.succeed(RETENTION_JOB)

    assert (len(world.live()), len(world.rows())) == (1, 4)
    assert Oracle(world).look() == NOTHING


# -- P3 ---------------------------------------------------------------------------------------------------


def test_p3_row_labels_and_log_object_expire_together(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=5, keep_count=2, texts=ONE_MINUTE)
    world.succeed(RETENTION_JOB)

    world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    live = world.live().keys()
    assert world.rows().keys() == world.labels().keys() == live
    assert len(world.objects()) == 2
    assert Oracle(world).look() == NOTHING


def test_p3_logs_outlive_a_row_that_somebody_removed_by_the_grace(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=4, keep_count=1, expiry={"vanished_grace": "1m"})
    world.succeed(RETENTION_JOB)
    gone = next(iter(world.rows().keys() - world.live().keys()))
    remove_row(world, gone)

    first = world.succeed(EXPIRY_JOB)
    after_first = len(world.objects())
    second = world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    assert first.assets["expiry_plan"]["reasons"] == {"grace": 1}
    assert second.assets["expiry_plan"]["reasons"] == {"row_vanished": 1}
    assert (after_first, len(world.objects())) == (4, 3)


# -- P4 ---------------------------------------------------------------------------------------------------


def overwrite(world: World, key: str) -> None:
    world.files().delete(key)
    world.files().put_if_absent(key, b"of somebody else", {})


@pytest.mark.parametrize("bucket", [{}, EXCLUSIVE], ids=["shared bucket", "exclusive bucket"])
def test_p4_an_object_overwritten_since_it_was_recorded_stays(
    new_seed: SeedWorld, bucket: dict[str, Any]
) -> None:
    world = new_seed(hello_worlds=3, keep_count=0, texts=ONE_MINUTE, bucket=bucket)
    world.succeed(RETENTION_JOB)
    name, key = min(world.objects())
    overwrite(world, key)

    world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    assert world.objects() == {(name, key)}
    assert world.rows() == {}
    [kept] = [unit["kept_objects"] for unit in world.ledger("expiry_units") if unit["kept_objects"]]
    assert kept[0].startswith(f"{name}/{key}: ")


def test_p4_an_object_that_the_row_of_another_cluster_names_stays(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=3, keep_count=0, texts=ONE_MINUTE, bucket=EXCLUSIVE)
    world.succeed(RETENTION_JOB)
    uid = min(world.rows())
    world.execute(
        """
        INSERT INTO argo_archived_workflows (clustername, uid, instanceid, name, namespace, phase, workflow)
        SELECT 'elsewhere', 'another', instanceid, name, namespace, phase, workflow
        FROM argo_archived_workflows WHERE uid = %s
        """,
        uid,
    )

    world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    [record] = [record for record in world.ledger("log_objects") if record["uid"] == uid]
    assert world.objects() == {(record["bucket"], record["key"])}


# -- P5 ---------------------------------------------------------------------------------------------------


def test_p5_a_row_is_as_argo_writes_it_and_names_the_log_for_argos_server(
    worked: dict[str, Worked],
) -> None:
    world = worked["seed"].world
    labels = world.labels()
    for before in world.scene.workflows:
        metadata, status = before["metadata"], before["status"]
        row = world.rows()[metadata["uid"]]
        workflow = row["workflow"]

        assert (row["name"], row["namespace"]) == (metadata["name"], metadata["namespace"])
        assert (row["instanceid"], row["phase"]) == ("", status["phase"])
        assert row["finishedat"].strftime("%Y-%m-%dT%H:%M:%SZ") == status["finishedAt"]
        assert labels[metadata["uid"]] == workflow["metadata"]["labels"]
        assert labels[metadata["uid"]] == {
            **metadata["labels"],
            "workflows.argoproj.io/workflow-archiving-status": "Persisted",
        }
        [node] = workflow["status"]["nodes"].values()
        [artifact] = node["outputs"]["artifacts"]
        key = f"{metadata['name']}/{metadata['name']}/main.log"
        assert (artifact["name"], artifact["s3"]["key"]) == (MAIN_LOGS, key)
        repository = workflow["status"]["artifactRepositoryRef"]["artifactRepository"]
        assert repository["s3"]["bucket"] == world.scene.buckets[0]
        assert b"hello world" in (world.body(world.scene.buckets[0], key) or b"")


def test_p5_a_workflow_that_stays_is_labelled_so_that_argos_server_shows_it_once(
    worked: dict[str, Worked],
) -> None:
    live = worked["seed"].world.live().values()

    statuses = {
        workflow["metadata"]["labels"]["workflows.argoproj.io/workflow-archiving-status"]
        for workflow in live
    }

    assert (len(live), statuses) == (3, {"Archived"})


# -- P6 ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fleet", "seed"])
def test_p6_every_decision_has_a_reason_before_and_every_deletion_after(
    worked: dict[str, Worked], name: str
) -> None:
    world, outcomes = worked[name].world, worked[name].outcomes
    plan = world.decisions(outcomes[RETENTION_JOB], "retention_plan")
    expiry = world.decisions(outcomes[EXPIRY_JOB], "expiry_plan")

    ours = [w for w in world.scene.workflows if not is_of_another_instance(w)]
    assert plan.keys() == {w["metadata"]["uid"] for w in ours}
    assert all(d["reason"] and d["sentence"] for d in (*plan.values(), *expiry.values()))
    for deletion in world.ledger("deletions"):
        assert deletion["reason"] == plan[deletion["uid"]]["sentence"]
        assert deletion["by_whom"] == "the tests"
    for unit in world.ledger("expiry_units"):
        assert unit["reason"] == expiry[unit["uid"]]["sentence"]


def is_of_another_instance(workflow: dict[str, Any]) -> bool:
    labels = workflow["metadata"].get("labels") or {}
    return "workflows.argoproj.io/controller-instanceid" in labels


# -- P7 ---------------------------------------------------------------------------------------------------


def state_of(world: World) -> dict[str, Any]:
    """Digests of all that a run may change, but for what only says when we looked."""
    digest = "SELECT clustername, uid, md5(workflow::text) FROM argo_archived_workflows"
    live = {uid: w["metadata"]["resourceVersion"] for uid, w in world.live().items()}
    objects = {
        (bucket, key): head.etag
        for bucket, key in world.objects()
        if (head := world.files(bucket).head(key)) is not None
    }
    ledger = {
        table: sorted(repr(sorted(row.items())) for row in world.ledger(table))
        for table in ("deletions", "expiry_units", "log_references")
    }
    proofs = sorted((p["uid"], p["digest"]) for p in world.ledger("archived_versions"))
    logs = sorted(
        (r["uid"], r["node_id"], r["container"], r["state"], r["key"], str(r["etag"]))
        for r in world.ledger("log_objects")
    )
    rows = sorted(map(repr, world.query(digest)))
    return {
        "live": live,
        "objects": objects,
        "rows": rows,
        "logs": logs,
        "proofs": proofs,
        **ledger,
    }


def test_p7_a_second_run_changes_nothing(new_seed: SeedWorld) -> None:
    world = new_seed(texts=ONE_MINUTE)
    for job in JOBS:
        world.succeed(job, clock=later(minutes=2))
    before = state_of(world)

    again = [world.succeed(job, clock=later(minutes=2)) for job in JOBS]

    assert state_of(world) == before
    assert again[1].assets["retention_outcome"]["deleted"] == 0
    assert again[2].assets["expiry_outcome"]["expired"] == 0


def test_p7_a_second_run_on_the_whole_fleet_changes_nothing(worked: dict[str, Worked]) -> None:
    world = worked["fleet"].world
    for job in JOBS:
        world.succeed(job)  # the fleet is minutes older by now, and something may have come of age
    before = state_of(world)

    for job in JOBS:
        world.succeed(job)

    assert state_of(world) == before


@pytest.mark.parametrize("job", [ARCHIVE_JOB, EXPIRY_JOB])
def test_p7_a_second_run_at_the_same_time_is_refused_and_told_who_works(
    new_seed: SeedWorld, job: str
) -> None:
    world = new_seed()
    second: list[RunOutcome] = []

    def meanwhile(stage: str, done: int, total: int | None) -> None:
        if stage == "archive" and not second:
            thread = threading.Thread(target=lambda: second.append(world.run(job)))
            thread.start()
            thread.join()

    first = world.succeed(RETENTION_JOB, progress=meanwhile)

    [refused] = second
    assert refused.exit_code == 3
    assert f"is worked on by run {first.run_id} on " in refused.failure
    assert "wait until it has ended, or terminate it" in refused.failure
    assert len(world.live()) == 2
