"""What `argo-retention plan` shows: the plans of this moment, by rule and reason, and what would stop a run."""

from dataclasses import replace
from datetime import timedelta

import pytest

from argo_retention.core import labels
from argo_retention.core.logs import LogState
from argo_retention.core.policy import Brakes
from argo_retention.core.reasons import Reason
from argo_retention.errors import ConfigurationError, ListIncompleteError
from argo_retention.operations.expiry_plans import make_expiry_plan
from argo_retention.operations.planning import make_plan
from argo_retention.operations.previewing import (
    Effect,
    ReasonLine,
    RuleLine,
    by_reason,
    by_rule,
    effect_of,
    kept_plan,
    preview,
    preview_at,
)
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.operations.looked_at import (
    DAY,
    NOW,
    LookedAt,
    UnmigratedArchive,
    policy,
)

WRITES = {
    "acquire_lease",
    "write_rows",
    "record_logs",
    "record_snapshot",
    "record_plan",
    "record_deletions",
    "record_units",
    "migrate",
    "backfill_references",
    "claim_plan",
    "expire_rows",
}


def test_counts_by_rule_and_by_reason() -> None:
    world = LookedAt(policy=policy(completed=1))
    world.proven("newest", age=DAY)
    world.proven("surplus", age=2 * DAY)
    world.finished("unproven", age=3 * DAY)
    world.cluster.add_workflow("running", namespace="ci", phase=None)

    seen = preview(world.site)

    assert seen.retention is not None
    assert [d.name for d in seen.retention.removals] == ["surplus"]
    assert by_rule(seen.retention.decisions) == [
        RuleLine(rule="retentionPolicy", found=3, delete=1, wait=0, hold_back=1, keep=1, leave=0),
        RuleLine(rule="", found=1, delete=0, wait=0, hold_back=0, keep=0, leave=1),
    ]
    assert [(it.effect, it.reason) for it in by_reason(seen.retention.decisions)] == [
        (Effect.DELETE, Reason.SURPLUS),
        (Effect.HOLD_BACK, Reason.UNPROVEN),
        (Effect.KEEP, Reason.WITHIN_COUNT),
        (Effect.LEAVE, Reason.NOT_FINISHED),
    ]
    assert seen.refusals == []
    assert not seen.applies


def test_another_day_is_planned_from_the_last_snapshot() -> None:
    world = LookedAt(policy=policy(archive_ttl=10 * DAY))
    one = world.proven("one", age=9 * DAY)
    take_snapshot(world.site, world.grant(world.site.root_run))
    world.cluster.remove("Workflow", one.namespace, one.name)  # since then; the snapshot has it

    now = preview_at(world.site, NOW)
    later = preview_at(world.site, NOW + 2 * DAY)

    assert now.retention is not None
    assert now.expiry is not None
    assert later.expiry is not None
    assert [d.name for d in now.retention.decisions] == ["one"]
    assert [d.reason for d in now.expiry.decisions if d.reason is not Reason.WITHIN_TTL] == []
    assert [d.reason for d in later.expiry.decisions] == [Reason.LIVE]
    assert later.at == NOW + 2 * DAY
    assert later.snapshot_at is not None
    assert not world.cluster.calls_of("list_metadata")[1:]


@pytest.mark.parametrize("archive", [None, UnmigratedArchive(now=NOW)])
def test_without_a_snapshot_another_day_cannot_be_planned(
    archive: UnmigratedArchive | None,
) -> None:
    with pytest.raises(ConfigurationError, match="no snapshot yet to plan another day from"):
        preview_at(LookedAt(policy=policy(), archive=archive).site, NOW)


def test_writes_nothing_and_takes_no_lease() -> None:
    world = LookedAt(policy=policy(completed=0, archive_ttl=DAY))
    world.proven("a", age=9 * DAY)
    vanished = world.finished("b", age=9 * DAY)
    world.prove(vanished, world.log(vanished))
    world.archive.remove_row("default", vanished.uid)
    world.archive.calls.clear()

    preview(world.site)

    assert not WRITES & {call.method for call in world.archive.calls}
    assert not [c for c in world.cluster.calls if c.method in {"delete_workflow", "mark_archived"}]
    assert world.tables.files == {}


def test_max_deletions_cuts_and_the_backlog_is_counted_in_runs() -> None:
    world = LookedAt(policy=policy(completed=0, brakes=Brakes(max_deletions=2, max_share=1.0)))
    for number in range(5):
        world.proven(f"w-{number}", age=(number + 1) * DAY)

    seen = preview(world.site)

    assert seen.retention is not None
    effects = [effect_of(d) for d in seen.retention.decisions]
    assert (effects.count(Effect.DELETE), effects.count(Effect.WAIT)) == (2, 3)
    assert seen.runs_needed == 3


def test_expiry_says_what_goes_what_is_held_back_and_what_stays() -> None:
    world = LookedAt(policy=policy(archive_ttl=30 * DAY))
    gone = world.proven("gone", age=40 * DAY)
    world.cluster.remove("Workflow", "ci", "gone")
    live = world.proven("live", age=40 * DAY)
    within = world.proven("within", age=30 * DAY - timedelta(hours=1))

    seen = preview(world.site)

    assert seen.expiry is not None
    effects = {d.uid: effect_of(d) for d in seen.expiry.decisions}
    assert effects == {
        gone.uid: Effect.DELETE,
        live.uid: Effect.HOLD_BACK,
        within.uid: Effect.KEEP,
    }
    assert by_reason(seen.expiry.decisions)[0] == ReasonLine(
        rule="archiveTTL", effect=Effect.DELETE, reason=Reason.EXPIRED, count=1
    )


def test_lost_logs_are_told_with_the_workflow_that_takes_them_along() -> None:
    world = LookedAt(policy=policy(completed=0))
    workflow = world.finished("a")
    world.prove(workflow, world.log(workflow, state=LogState.LOST, key="", reason="pod is gone"))

    seen = preview(world.site)

    assert seen.retention is not None
    assert [d.lost_logs for d in seen.retention.removals] == [1]


def test_before_the_first_run_nothing_is_proven_and_our_tables_are_not_asked() -> None:
    world = LookedAt(policy=policy(completed=0), archive=UnmigratedArchive(now=NOW))
    world.finished("a")
    world.cluster.add(
        {"kind": "Namespace", "metadata": {"name": "kept", "annotations": {labels.HOLD: "audit"}}}
    )

    seen = preview(world.site)

    assert seen.retention is not None
    assert [d.reason for d in seen.retention.decisions] == [Reason.UNPROVEN]
    assert not seen.archive_ready
    assert seen.expiry is None
    assert seen.refusals == []
    # `identity` looks whether our tables are there before it asks them.
    assert {call.method for call in world.archive.calls} == {"facts", "identity"}


def test_argos_tables_missing_is_a_refusal_not_a_crash() -> None:
    world = LookedAt(policy=policy(completed=0))
    world.archive.schema_version = None
    world.finished("a")

    seen = preview(world.site)

    assert not seen.archive_ready
    assert "schema_history" in seen.refusals[0]


def test_each_brake_that_would_stop_a_run_is_named() -> None:
    tight = Brakes(max_deletions=1000, max_share=0.1)
    world = LookedAt(
        policy=policy(completed=0, brakes=tight, archive_ttl=DAY, expire_while_live=True)
    )
    for number in range(60):
        world.proven(f"w-{number:02}", age=9 * DAY)
    take_snapshot(world.site, world.grant())
    for number in range(55, 60):
        world.cluster.remove("Workflow", "ci", f"w-{number}")
    world.cluster.now = NOW - timedelta(minutes=10)

    seen = preview(world.site)

    assert ["clock" in text for text in seen.refusals] == [True, False, False]
    assert "finished workflows would be deleted" in seen.refusals[1]
    assert "archived workflows would expire" in seen.refusals[2]


def test_a_list_that_lost_most_of_the_cluster_is_named() -> None:
    world = LookedAt()
    world.finished("a")
    take_snapshot(world.site, world.grant())
    world.cluster.remove("Workflow", "ci", "a")

    seen = preview(world.site)

    assert "The list is empty" in seen.refusals[0]


def test_a_list_that_fails_shows_no_plan() -> None:
    world = LookedAt()
    world.cluster.fail("list_metadata", ListIncompleteError("page 2 was refused"))

    with pytest.raises(ListIncompleteError):
        preview(world.site)


def test_a_kept_retention_plan_is_shown_as_it_was_made() -> None:
    world = LookedAt(policy=policy(completed=0))
    world.proven("a")
    grant = world.grant()
    take_snapshot(world.site, grant)
    made = make_plan(world.site, grant)
    world.proven("later")

    seen = kept_plan(world.site, made.record.plan_id)

    assert seen.kept is not None
    assert seen.kept.plan_id == made.record.plan_id
    assert seen.retention is not None
    assert [d.name for d in seen.retention.removals] == ["a"]
    assert seen.expiry is None
    assert seen.runs_needed == 1


def test_a_kept_expiry_plan_is_shown_as_it_was_made() -> None:
    world = LookedAt(policy=policy(archive_ttl=DAY))
    world.proven("a", age=9 * DAY)
    grant = world.grant()
    take_snapshot(world.site, grant)
    made = make_expiry_plan(world.site, grant)

    seen = kept_plan(world.site, made.record.plan_id)

    assert seen.retention is None
    assert seen.expiry is not None
    assert [d.reason for d in seen.expiry.decisions] == [Reason.LIVE]


@pytest.mark.parametrize("other", ["nothing", "another instance", "not migrated"])
def test_no_such_plan(other: str) -> None:
    archive = UnmigratedArchive(now=NOW) if other == "not migrated" else None
    world = LookedAt(policy=policy(completed=0), archive=archive)
    plan_id = "1234"
    if other == "another instance":
        grant = world.grant()
        take_snapshot(world.site, grant)
        record = make_plan(world.site, grant).record
        plan_id = record.plan_id
        key = ("default", "", plan_id)
        world.archive.plans[key] = replace(record, instanceid="theirs")

    with pytest.raises(ConfigurationError, match=f"no plan {plan_id} for cluster prod"):
        kept_plan(world.site, plan_id)
