"""Expiry on fakes: runs that die, rows that vanish, plans and lists that are not to be believed."""

import threading
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from argo_retention.core.logs import LogState
from argo_retention.errors import DatabaseError, ObjectStoreError, PlanRefusedError
from argo_retention.operations import expiring
from argo_retention.operations.expiring_objects import LogObject, ObjectDeleter
from argo_retention_tests.operations.at_work import BUCKET, NAMESPACE, AtWork
from argo_retention_tests.operations.expiring_world import LATER, keys, uid_of, units, work_with

# -- killed and taken up ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "method"),
    [("bucket", "head"), ("bucket", "delete"), ("archive", "expire_rows")],
)
def test_p3_the_next_run_finishes_what_was_begun(part: str, method: str) -> None:
    work = work_with("one")
    work.expiry_planned()
    error = ObjectStoreError("killed") if part == "bucket" else DatabaseError("killed")
    getattr(work, part).fail(method, error)
    if part == "bucket":
        work.expired()
    else:
        with pytest.raises(DatabaseError):
            work.expired()
    assert len(work.row_uids()) == 1
    work.next_run()
    work.expiry_planned()

    work.expired()

    assert (work.row_uids(), keys(work)) == (set(), set())
    assert units(work)["one"].stage == "done"


def test_p3_an_open_unit_is_finished_although_the_plan_does_not_speak_of_it() -> None:
    """The policy became more generous after the first object had gone."""
    work = work_with("one")
    work.expiry_planned()
    work.archive.fail("expire_rows", DatabaseError("killed"))
    with pytest.raises(DatabaseError):
        work.expired()
    policy = replace(work.site.installation.policy, archive_ttl=timedelta(days=3650))
    work.site = replace(work.site, installation=replace(work.site.installation, policy=policy))
    work.next_run()
    work.expiry_planned()

    done = work.expired()

    assert (done.planned, done.resumed, done.units_done) == (0, 1, 1)
    assert work.row_uids() == set()


def test_p7_a_batch_that_fails_stops_those_that_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring, "BATCH", 1)
    monkeypatch.setattr(expiring, "BATCHES_AT_ONCE", 1)
    work = work_with(*[f"run-{number}" for number in range(6)])
    work.expiry_planned()
    work.archive.fail("references_of_others", DatabaseError("gone"))

    with pytest.raises(DatabaseError):
        work.expired()

    assert len(work.row_uids()) >= 5


@pytest.mark.parametrize("logs", ["argo", "none"])
def test_p7_nothing_is_begun_once_the_run_stops(logs: str) -> None:
    work = work_with("one", settings={"logs": {"save": logs}})
    work.expiry_planned()
    record = work.archive.plan_record(
        clustername="default", kind="expiry", root_run=work.site.root_run
    )
    assert record is not None
    result = expiring.Expired(plan=record, applied=True)
    expirer = expiring._Expirer(work.site, work.grant(work.site.root_run), [], result)
    expirer._stop.set()
    planned = expiring.read_expiry_plan(work.site, record).removals

    expirer.run([expiring._unit(work.site, record, each) for each in planned], {})

    assert result.units_done == 0
    assert len(work.row_uids()) == 1


def test_p7_objects_that_wait_when_the_run_stops_are_left() -> None:
    work = work_with("one")
    record = work.expiry_planned().record
    uid = uid_of(work, "one")
    unit = expiring._unit(
        work.site, record, expiring.read_expiry_plan(work.site, record).removals[0]
    )
    stop = threading.Event()
    stop.set()
    deleter = ObjectDeleter(
        work.site, [], committed=(), stop=stop, keep=lambda *_: pytest.fail("it was kept")
    )

    outcome = deleter.delete(
        LogObject(unit=unit, bucket=BUCKET, key="one/one/main.log", etag=""), []
    )

    assert uid == unit.uid
    assert outcome == ("failed", "the run was stopped", 0)
    assert keys(work) == {"one/one/main.log"}


# -- rows that somebody else removed ----------------------------------------------------------------------


def vanished(work: AtWork, name: str) -> None:
    """Somebody deletes the row by hand."""
    del work.archive.argo_rows["default", uid_of(work, name)]


def test_logs_of_a_row_that_vanished_go_after_a_week() -> None:
    work = work_with("one", "two")
    vanished(work, "one")
    work.cluster.add_workflow("two", namespace=NAMESPACE, metadata={"uid": uid_of(work, "two")})
    made = work.expiry_planned()
    assert {d.name: d.reason.value for d in made.plan.decisions}["one"] == "grace"
    assert work.expired().units_done == 0
    assert len(keys(work)) == 2

    work.at(LATER + timedelta(days=8))
    work.next_run()
    work.expiry_planned()
    done = work.expired()

    assert (done.units_done, done.objects["deleted"]) == (1, 1)
    assert keys(work) == {"two/two/main.log"}


def test_p4_a_row_that_is_back_keeps_its_logs() -> None:
    work = work_with("one", settings={"argo": {"archiveTTL": "3650d"}})
    key = ("default", uid_of(work, "one"))
    row = work.archive.argo_rows[key]
    vanished(work, "one")
    work.expiry_planned()
    work.at(LATER + timedelta(days=8))
    work.next_run()
    work.expiry_planned()
    work.archive.argo_rows[key] = row

    done = work.expired()

    assert (done.planned, done.not_now, done.units_done) == (1, 1, 0)
    assert keys(work) == {"one/one/main.log"}


# -- the plan and the brakes ------------------------------------------------------------------------------


def test_p1_an_empty_list_is_not_believed() -> None:
    work = work_with("one")
    work.expiry_planned()
    work.cluster.remove("Workflow", NAMESPACE, "running")

    with pytest.raises(PlanRefusedError, match="The list is empty"):
        work.expired()

    assert len(work.row_uids()) == 1


def test_p1_a_snapshot_that_is_not_believed_plans_nothing() -> None:
    work = work_with("one")
    work.cluster.remove("Workflow", NAMESPACE, "running")

    with pytest.raises(PlanRefusedError, match="refused by the brake on falling counts"):
        work.expiry_planned()


def test_p2_too_many_rows_at_once_are_refused() -> None:
    """Most of the rows that were to stay are gone since the plan."""
    brakes = {
        "brakes": {"max_share": 0.9, "max_drop": 1, "per_second": 1e6},
        "logs": {"save": "none"},
    }
    work = work_with(*[f"run-{number:02}" for number in range(60)], settings=brakes)
    for number in range(12):
        key = ("default", uid_of(work, f"run-{number:02}"))
        row = work.archive.argo_rows[key]
        young = row.workflow.replace(b"2026-06-14", b"2026-07-24")
        work.archive.argo_rows[key] = replace(
            row, workflow=young, finishedat=LATER.replace(tzinfo=None)
        )
    made = work.expiry_planned()
    assert len(made.plan.removals) == 48
    for number in range(10):
        vanished(work, f"run-{number:02}")

    with pytest.raises(PlanRefusedError, match=r"48 of 50 archived workflows would expire"):
        work.expired()

    assert len(work.row_uids()) == 50


def test_p7_a_plan_that_another_run_takes_meanwhile_expires_nothing() -> None:
    work = work_with("one")
    work.expiry_planned()
    work.archive.before(
        "claim_plan",
        lambda _: work.archive.plans.update(
            {key: replace(plan, state="applied") for key, plan in work.archive.plans.items()}
        ),
    )

    with pytest.raises(PlanRefusedError, match="was used or superseded a moment ago"):
        work.expired()

    assert len(work.row_uids()) == 1


def test_a_row_that_somebody_reads_is_left_for_the_next_run() -> None:
    work = work_with("one", settings={"logs": {"save": "none"}})
    work.expiry_planned()

    @contextmanager
    def held(uid: str):  # type: ignore[no-untyped-def]
        with work.archive._sharing([("default", uid)]):
            yield

    with held(uid_of(work, "one")):
        done = work.expired()

    assert done.failed == ["ci/one: its row changed or is in use; the next run looks again"]


def test_without_a_ttl_no_row_expires() -> None:
    work = work_with("one", settings={"argo": {"archiveTTL": 0}})

    assert work.expiry_planned().plan.decisions == ()


def test_a_lost_log_is_no_object() -> None:
    work = work_with("one")
    identity, record = next(iter(work.archive.logs.items()))
    work.archive.logs[identity] = structs.replace(record, state=LogState.LOST, key="", bucket="")
    work.archive.references_by_row.clear()
    work.bucket.objects.clear()
    work.archive.rows_read.update(work.archive.argo_rows)
    work.expiry_planned()

    done = work.expired()

    assert (done.units_done, dict(done.objects)) == (1, {})


def test_p3_stopped_between_objects_and_rows_the_unit_stays_open() -> None:
    work = work_with("one")
    record = work.expiry_planned().record
    result = expiring.Expired(plan=record, applied=True)
    expirer = expiring._Expirer(work.site, work.grant(work.site.root_run), [], result)
    [planned] = expiring.read_expiry_plan(work.site, record).removals
    work.bucket.before("delete", lambda _: expirer._stop.set())

    expirer.run([expiring._unit(work.site, record, planned)], {})

    assert result.units_done == 0
    assert len(work.row_uids()) == 1
    [unit] = work.archive.open_units(clustername="default", instanceid="")
    assert unit.stage == "objects_done"
