"""What `argo-retention status` shows of one installation."""

from dataclasses import replace

from argo_retention.operations.expiry_plans import make_expiry_plan
from argo_retention.operations.planning import make_plan
from argo_retention.operations.reporting import report
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.operations.looked_at import NOW, LookedAt, UnmigratedArchive, policy


def test_counts_snapshot_lease_and_last_plans() -> None:
    world = LookedAt(policy=policy(completed=0))
    workflow = world.finished("a")
    world.prove(workflow, world.log(workflow))
    grant = world.grant("run-of-tuesday")
    take_snapshot(world.site, grant)
    made = make_plan(world.site, grant)
    expiry = make_expiry_plan(world.site, grant)

    seen = report(world.site)

    assert seen.snapshot is not None
    assert (seen.snapshot.live, seen.snapshot.finished) == (1, 1)
    assert (seen.counts["rows"], seen.counts["proven"], seen.counts["logs_stored"]) == (1, 1, 1)
    assert seen.lease is not None
    assert seen.lease["root_run"] == "run-of-tuesday"
    assert {kind: plan.plan_id for kind, plan in seen.plans.items()} == {
        "retention": made.record.plan_id,
        "expiry": expiry.record.plan_id,
    }


def test_the_lease_is_free_and_there_is_no_plan() -> None:
    world = LookedAt()

    seen = report(world.site)

    assert seen.lease is None
    assert seen.plans == {}
    assert seen.snapshot is None


def test_the_plan_of_another_instance_is_not_shown() -> None:
    world = LookedAt(policy=policy(completed=0))
    grant = world.grant()
    take_snapshot(world.site, grant)
    record = make_plan(world.site, grant).record
    world.archive.plans["default", "", record.plan_id] = replace(record, instanceid="theirs")

    assert report(world.site).plans == {}


def test_before_the_first_run_only_the_database_is_described() -> None:
    world = LookedAt(archive=UnmigratedArchive(now=NOW))

    seen = report(world.site)

    assert not seen.archive_ready
    assert seen.database.schema_version == 68
    assert seen.counts == {}
    assert {call.method for call in world.archive.calls} == {"facts"}
