"""Contract of the archive port: numbers for metrics, and what is forgotten when it is old."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from argo_retention.core.ledger import PlanRecord, SnapshotRecord
from argo_retention.core.logs import LogState
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    ArchiveWorld,
    archive_worlds,
    deletion,
    lease,
    log,
    reference,
    unit,
    write,
)


@pytest.fixture(params=["fake", "postgres"])
def world(request: pytest.FixtureRequest) -> Iterator[ArchiveWorld]:
    yield from archive_worlds(request)


def test_what_left_the_cluster_is_counted_by_its_rule(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_deletions(
        grant,
        [
            deletion(uid="u1", rule="ci", outcome="deleted"),
            deletion(uid="u2", rule="ci", outcome="deleted"),
            deletion(uid="u3", rule="ci", outcome="refused: why"),
            deletion(uid="u4", rule="", outcome="vanished"),
        ],
    )

    assert world.archive.deleted_by_rule(clustername=CLUSTER, instanceid="") == {"ci": 2, "": 1}
    assert world.archive.deleted_by_rule(clustername=CLUSTER, instanceid="blue") == {}


def test_sizes_are_those_of_logs_that_have_not_expired_and_of_argos_tables(
    world: ArchiveWorld,
) -> None:
    grant = lease(world.archive)
    world.archive.record_logs(grant, [log(uid=uid, size=100) for uid in ("u1", "u2", "u3")])
    world.archive.record_logs(grant, [log(uid="u4", state=LogState.LOST, size=None)])
    world.archive.record_units(grant, [unit(uid="u3", stage="done")])

    sizes = world.archive.sizes(clustername=CLUSTER)

    assert sizes["logs"] == 200
    assert sizes["archive"] > 0


def test_a_stored_log_that_its_row_does_not_name_is_named(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    named, unnamed, anywhere = (log("u1", node_id=n, key=n) for n in ("a", "b", "c"))
    lost = log("u1", node_id="d", key="d", state=LogState.LOST)
    references = [reference("u1", "a"), reference("u1", "c", bucket="")]
    world.archive.write_rows(
        grant,
        [write("u1", logs=[named, unnamed, anywhere, lost], references=references), write("u2")],
    )
    world.archive.record_logs(grant, [log("without-row", key="e")])

    found = world.archive.unnamed_logs(clustername=CLUSTER, instanceid="")

    assert [(each.uid, each.node_id) for each in found] == [("u1", "b")]
    assert world.archive.unnamed_logs(clustername=CLUSTER, instanceid="other") == []


# -- forgetting -------------------------------------------------------------------------------------------


def test_old_snapshots_and_plans_are_forgotten_but_the_newest(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    for number in range(3):
        world.archive.record_snapshot(grant, snapshot_record(f"run-{number}", accepted=number < 2))
        world.archive.record_plan(grant, plan_record(f"plan-{number}"))
    world.archive.record_plan(grant, plan_record("expiry-plan", kind="expiry"))
    later = world.archive.facts().now + timedelta(days=1)

    forgotten = world.archive.forget(grant, traces_before=later, ledger_before=None)

    assert forgotten == {"snapshots": 2, "plans": 2, "deletions": 0, "units": 0}
    left = world.archive.last_snapshot(clustername=CLUSTER, instanceid="")
    assert left is not None
    assert left.run_id == "run-1"
    for kind, plan_id in (("retention", "plan-2"), ("expiry", "expiry-plan")):
        found = world.archive.plan_record(clustername=CLUSTER, kind=kind)
        assert found is not None
        assert found.plan_id == plan_id
    assert not any(world.archive.forget(grant, traces_before=later, ledger_before=None).values())


def test_of_deletions_only_those_are_forgotten_whose_outcome_is_known(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    outcomes = {"u1": "deleted", "u2": "intended", "u3": "terminating", "u4": "refused: why"}
    world.archive.record_deletions(
        grant, [deletion(uid=uid, outcome=outcome) for uid, outcome in outcomes.items()]
    )
    later = world.archive.facts().now + timedelta(days=1)

    assert world.archive.forget(grant, traces_before=later, ledger_before=None)["deletions"] == 0
    forgotten = world.archive.forget(grant, traces_before=None, ledger_before=later)

    assert forgotten["deletions"] == 2
    known = [
        uid for uid in outcomes if world.archive.history(clustername=CLUSTER, uid=uid)["deletions"]
    ]
    assert known == ["u2", "u3"]


def test_what_is_recorded_of_logs_goes_with_its_expired_unit_only(world: ArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.record_logs(grant, [log(uid="u1"), log(uid="u2"), log(uid="u3")])
    world.archive.record_units(
        grant, [unit(uid="u1", stage="done"), unit(uid="u2", stage="objects_done")]
    )
    later = world.archive.facts().now + timedelta(days=1)

    forgotten = world.archive.forget(grant, traces_before=None, ledger_before=later)

    assert forgotten["units"] == 1
    left = world.archive.log_records(clustername=CLUSTER, uids=["u1", "u2", "u3"])
    assert sorted(each.uid for each in left) == ["u2", "u3"]
    assert world.archive.history(clustername=CLUSTER, uid="u1")["expiry"] is None


def test_nothing_of_another_installation_is_forgotten(world: ArchiveWorld) -> None:
    blue = lease(world.archive, instanceid="blue")
    world.archive.record_deletions(blue, [deletion(outcome="deleted")])
    world.archive.record_plan(blue, plan_record("p1"))
    world.archive.record_plan(blue, plan_record("p2"))
    later = world.archive.facts().now + timedelta(days=1)

    forgotten = world.archive.forget(lease(world.archive), traces_before=later, ledger_before=later)

    assert not any(forgotten.values())


def snapshot_record(run_id: str, *, accepted: bool = True) -> SnapshotRecord:
    return SnapshotRecord(
        clustername=CLUSTER,
        instanceid="",
        run_id=run_id,
        path=f"snapshots/{run_id}.parquet",
        live=1,
        finished=1,
        resource_version="1",
        accepted=accepted,
    )


def plan_record(plan_id: str, *, kind: str = "retention") -> PlanRecord:
    return PlanRecord(
        plan_id=plan_id,
        clustername=CLUSTER,
        instanceid="",
        kind=kind,
        root_run="root",
        path=f"plans/{plan_id}.parquet",
        policy_digest="d",
        removals=0,
    )
