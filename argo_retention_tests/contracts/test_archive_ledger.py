"""Contract of the archive port: logs, references, snapshots, plans, deletions, and rows locked for collecting."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core.ledger import PlanRecord, SnapshotRecord
from argo_retention.core.logs import LogState
from argo_retention.errors import DatabaseError
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    FINISHED,
    ArchiveWorld,
    archive_worlds,
    argo_row,
    deletion,
    lease,
    log,
    reference,
    status,
    unit,
    write,
)


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[ArchiveWorld]:
    yield from archive_worlds(request)


def backfilled(world: ArchiveWorld, **kwargs) -> list[int]:
    """What each call said was left, down to 0."""
    grant, left = lease(world.archive), []
    while not left or left[-1]:
        left.append(world.archive.backfill_references(grant, **kwargs))
    return left


# -- logs and references --------------------------------------------------------------------------------


def test_a_log_record_is_replaced_by_its_identity(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_logs(grant, [log(state=LogState.INTENDED), log(node_id="node-1")])

    world.archive.record_logs(grant, [log(etag='"f"')])

    found = world.archive.log_records(clustername=CLUSTER, uids=["u1"])
    assert found == [log(etag='"f"'), log(node_id="node-1")]


def test_a_log_record_without_a_time_gets_that_of_the_database(world: ArchiveWorld) -> None:
    world.archive.record_logs(lease(world.archive), [log(saved_at=None)])

    [found] = world.archive.log_records(clustername=CLUSTER, uids=["u1"])

    assert found.saved_at is not None
    assert abs(found.saved_at - world.archive.facts().now) < timedelta(minutes=1)


def test_records_of_another_cluster_are_a_mistake_of_the_caller(world: ArchiveWorld) -> None:
    grant = lease(world.archive)

    with pytest.raises(ValueError, match="lease"):
        world.archive.record_logs(grant, [log(clustername="fleet")])
    with pytest.raises(ValueError, match="lease"):
        world.archive.record_deletions(grant, [deletion(clustername="fleet")])
    with pytest.raises(ValueError, match="lease"):
        world.archive.record_units(grant, [unit(clustername="fleet")])
    with pytest.raises(ValueError, match="lease"):
        world.archive.expire_rows(grant, [unit(clustername="fleet")], live_versions={})


def test_backfill_reads_the_rows_of_every_cluster_in_batches(world: ArchiveWorld) -> None:
    world.put_row(argo_row("u1"))
    world.put_row(argo_row("u2", clustername="fleet", workflow={"status": status("shared.log")}))
    world.put_row(argo_row("u3", instanceid="other", workflow={"status": status("shared.log")}))

    assert backfilled(world, batch=1) == [3, 2, 1, 0]

    others = world.archive.references_of_others(
        clustername=CLUSTER, objects=[reference("u1"), reference("u9", "shared.log")]
    )
    assert others == {("logs", "shared.log"): ["u2", "u3"]}


def test_rows_that_we_wrote_need_no_backfill_until_argo_writes_them_anew(
    world: ArchiveWorld,
) -> None:
    world.archive.write_rows(lease(world.archive), [write()])
    assert backfilled(world) == [0]

    world.put_row(argo_row("u1", workflow={"status": status("other.log")}))

    assert backfilled(world) == [1, 0]
    found = world.archive.references(clustername=CLUSTER, uids=["u1"])
    assert found == [reference("u1", "other.log")]


@pytest.mark.parametrize(
    ("workflow", "bucket"),
    [
        pytest.param({"status": status("k", bucket="b")}, "b", id="repository"),
        pytest.param(
            {
                "status": {
                    **status(),
                    "nodes": {
                        "n": {
                            "outputs": {
                                "artifacts": [
                                    {"name": "main-logs", "s3": {"key": "k", "bucket": "own"}},
                                    {"name": "result", "s3": {"key": "no log"}},
                                    {"name": "gone-logs"},
                                ]
                            }
                        }
                    },
                }
            },
            "own",
            id="artifact",
        ),
        pytest.param(
            {
                "status": status("k"),
                "spec": {"templates": [{"archiveLocation": {"s3": {"key": "x"}}}]},
            },
            "",
            id="a template's own location may be any bucket",
        ),
        pytest.param({"status": {"nodes": status("k")["nodes"]}}, "", id="none"),
    ],
)
def test_the_bucket_of_a_reference(world: ArchiveWorld, workflow, bucket) -> None:
    world.put_row(argo_row("u1", workflow=workflow))

    backfilled(world)

    found = world.archive.references(clustername=CLUSTER, uids=["u1"])
    assert found == [reference("u1", "k", bucket)]


@pytest.mark.parametrize("empty", [{}, {"nodes": None}, {"nodes": {"n": {"outputs": None}}}])
def test_rows_without_artifacts_have_no_references(world: ArchiveWorld, empty) -> None:
    world.put_row(argo_row("u1", workflow={"status": empty}))

    assert backfilled(world) == [1, 0]
    assert world.archive.references(clustername=CLUSTER, uids=["u1"]) == []


def test_a_reference_without_a_bucket_counts_for_any_bucket(world: ArchiveWorld) -> None:
    world.put_row(argo_row("u1", workflow={"status": status("k", bucket="")}))
    backfilled(world)

    others = world.archive.references_of_others(
        clustername=CLUSTER, objects=[reference("u2", "k", "any")]
    )

    assert others == {("any", "k"): ["u1"]}


def test_a_stored_log_counts_as_a_reference_although_no_row_names_it(world: ArchiveWorld) -> None:
    """Argo may write our row anew without the artifact that we added."""
    world.archive.record_logs(
        lease(world.archive),
        [log("u1", key="k"), log("u2", key="k", state=LogState.LOST), log("u3", key="")],
    )

    others = world.archive.references_of_others(
        clustername=CLUSTER, objects=[reference("u9", "k"), reference("u1", "k")]
    )

    assert others == {("logs", "k"): ["u1"]}


def test_what_argo_expired_and_we_never_proved_holds_no_object(world: ArchiveWorld) -> None:
    world.put_row(argo_row("u1"))
    world.archive.write_rows(lease(world.archive), [write("u2")])
    backfilled(world)
    world.remove_row(CLUSTER, "u1")
    world.remove_row(CLUSTER, "u2")

    backfilled(world)

    assert world.archive.references(clustername=CLUSTER, uids=["u1"]) == []
    assert world.archive.references(clustername=CLUSTER, uids=["u2"]) == [reference("u2")]


# -- snapshots and plans --------------------------------------------------------------------------------


def snapshot(run_id: str, **kwargs) -> SnapshotRecord:
    values = {
        "clustername": CLUSTER,
        "instanceid": "",
        "path": f"snapshots/{run_id}",
        "live": 10,
        "finished": 5,
        "resource_version": "99",
        "accepted": True,
    }
    return SnapshotRecord(run_id=run_id, **(values | kwargs))


def plan(plan_id: str, **kwargs) -> PlanRecord:
    values = {
        "clustername": CLUSTER,
        "instanceid": "",
        "kind": "retention",
        "root_run": f"run of {plan_id}",
        "path": f"plans/{plan_id}",
        "policy_digest": "d",
        "removals": 7,
    }
    return PlanRecord(plan_id=plan_id, **(values | kwargs))


def test_the_last_accepted_snapshot_is_the_baseline(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    assert world.archive.last_snapshot(clustername=CLUSTER, instanceid="") is None
    for record in (snapshot("r1"), snapshot("r2"), snapshot("r3", accepted=False, live=1)):
        world.archive.record_snapshot(grant, record)

    last = world.archive.last_snapshot(clustername=CLUSTER, instanceid="")
    refused = world.archive.snapshot_of_run(clustername=CLUSTER, run_id="r3")

    assert last is not None
    assert replace(last, taken_at=None) == snapshot("r2")
    assert refused is not None
    assert (refused.accepted, refused.live) == (False, 1)
    assert world.archive.last_snapshot(clustername=CLUSTER, instanceid="other") is None
    assert world.archive.snapshot_of_run(clustername="fleet", run_id="r1") is None


def test_a_plan_is_used_once(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_plan(grant, plan("p1"))

    assert world.archive.claim_plan(grant, "p1")
    assert not world.archive.claim_plan(grant, "p1")

    world.archive.record_plan(grant, plan("p1"))
    assert not world.archive.claim_plan(grant, "p1")


def test_a_newer_plan_supersedes_those_of_its_kind(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    for record in (plan("p1"), plan("e1", kind="expiry"), plan("p2")):
        world.archive.record_plan(grant, record)

    assert not world.archive.claim_plan(grant, "p1")
    assert not world.archive.claim_plan(grant, "unknown")
    assert world.archive.claim_plan(grant, "p2")
    assert world.archive.claim_plan(grant, "e1")


def test_a_plan_is_found_by_id_by_its_root_run_or_as_the_last_one(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_plan(grant, plan("p1"))
    world.archive.record_plan(grant, plan("p2"))

    def find(**kwargs):
        return world.archive.plan_record(clustername=CLUSTER, kind="retention", **kwargs)

    found = find(plan_id="p1")
    assert replace(found, made_at=None) == plan("p1", state="superseded")
    assert find(root_run="run of p2").plan_id == "p2"
    assert find(plan_id="unknown") is None
    assert find(root_run="unknown") is None
    assert find().plan_id == "p2"
    assert world.archive.plan_record(clustername=CLUSTER, kind="expiry", plan_id="p1") is None


# -- deletions ------------------------------------------------------------------------------------------


def test_an_intent_is_open_until_its_outcome(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    intents = [deletion(uid) for uid in ("u1", "u2", "u3")]
    world.archive.record_deletions(grant, intents)

    outcomes = [deletion("u1", outcome="deleted"), deletion("u2", outcome="terminating")]
    world.archive.record_deletions(grant, outcomes)

    opened = world.archive.open_deletions(clustername=CLUSTER, instanceid="")
    assert opened == [outcomes[1], intents[2]]
    assert world.archive.open_deletions(clustername=CLUSTER, instanceid="other") == []
    counts = world.archive.counts(clustername=CLUSTER, instanceid="")
    assert (counts["deletions_deleted"], counts["deletions_intended"]) == (1, 1)


def test_deletions_since_counts_each_workflow_that_we_removed_once(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_deletions(
        grant,
        [
            deletion("u1", outcome="deleted"),
            deletion("u1", outcome="deleted", plan_id="plan-2"),
            deletion("u2", outcome="terminating"),
            deletion("u3", outcome="gone"),
            deletion("u4", outcome="deleted", at=FINISHED - timedelta(seconds=1)),
            deletion("u5", outcome="refused: 403"),
        ],
    )

    def since(instanceid: str) -> int:
        return world.archive.deletions_since(
            clustername=CLUSTER, instanceid=instanceid, since=FINISHED
        )

    assert (since(""), since("other")) == (2, 0)
    assert world.archive.counts(clustername=CLUSTER, instanceid="")["deletions_refused"] == 1


def test_explained_are_those_of_whose_leaving_the_ledger_has_a_word(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    outcomes = {
        "u1": "deleted",
        "u2": "terminating",
        "u3": "gone",
        "u4": "vanished",
        "u5": "intended",
        "u6": "refused: 403",
        "u7": "changed",
        "u8": "observed",
    }
    world.archive.record_deletions(
        grant, [deletion(uid, outcome=outcome) for uid, outcome in outcomes.items()]
    )

    explained = world.archive.explained(clustername=CLUSTER, uids=[*outcomes, "unknown"])

    assert set(explained) == {"u1", "u2", "u3", "u4", "u5"}
    assert not world.archive.explained(clustername="other", uids=["u1"])


# -- rows locked for collecting -------------------------------------------------------------------------


def test_locked_rows_carry_digest_and_proof(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    [written] = world.archive.write_rows(grant, [write()])

    with world.archive.lock_rows(grant, uids=["u1", "unknown"]) as rows:
        row = rows["u1"]

    assert list(rows) == ["u1"]
    assert row.digest == row.proven_digest == written.digest
    assert (row.resource_version, row.logs_settled, row.expired_while_live) == (10, True, False)


def test_a_row_that_argo_wrote_anew_has_another_digest_than_its_proof(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write()])
    world.put_row(argo_row(workflow={"status": status("other.log")}))

    with world.archive.lock_rows(grant, uids=["u1"]) as rows:
        assert rows["u1"].digest != rows["u1"].proven_digest


@pytest.mark.parametrize("state", list(LogState))
def test_locked_rows_say_whether_each_log_is_settled(world: ArchiveWorld, state) -> None:
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write(logs=[log(), log(node_id="n", state=state)])])

    with world.archive.lock_rows(grant, uids=["u1"]) as rows:
        assert rows["u1"].logs_settled is state.is_settled


def test_rows_that_are_gone_unproven_or_of_others_are_not_locked(world: ArchiveWorld) -> None:
    other = lease(world.archive, instanceid="other")
    world.archive.write_rows(other, [write("u2", instanceid="other")])
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write("u1")])
    world.remove_row(CLUSTER, "u1")
    world.put_row(argo_row("u3"))

    with world.archive.lock_rows(grant, uids=["u1", "u2", "u3"]) as rows:
        assert rows == {}


def test_two_batches_may_be_locked_at_once_and_nobody_writes_a_locked_row(
    world: ArchiveWorld,
) -> None:
    grant = lease(world.archive)
    written = world.archive.write_rows(grant, [write("u1"), write("u2")])

    with (
        world.archive.lock_rows(grant, uids=["u1"]),
        world.archive.lock_rows(grant, uids=["u1", "u2"]),
        pytest.raises(DatabaseError, match="another session holds the rows"),
    ):
        world.archive.write_rows(grant, [write("u1", expected_digest=written[0].digest)])

    [again] = world.archive.write_rows(grant, [write("u1", expected_digest=written[0].digest)])
    assert again.refusal == ""
