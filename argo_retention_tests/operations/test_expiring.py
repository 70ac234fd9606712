"""Expiry on fakes: objects first, the row last, and nothing that anybody else still needs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from argo_retention.core.logs import LogReference
from argo_retention.errors import ObjectStoreError
from argo_retention.operations.expiry_plans import unnamed_logs
from argo_retention_tests.operations.at_work import BUCKET, NAMESPACE, NOW
from argo_retention_tests.operations.expiring_world import LATER, keys, uid_of, units, work_with

# -- what goes --------------------------------------------------------------------------------------------


def test_p3_row_labels_and_objects_go_together() -> None:
    work = work_with("one", "two")
    work.expiry_planned()

    done = work.expired()

    assert (done.units_done, done.objects["deleted"], done.failed) == (2, 2, [])
    assert (work.row_uids(), keys(work)) == (set(), set())
    assert {name: unit.stage for name, unit in units(work).items()} == {
        "one": "done",
        "two": "done",
    }


def test_bytes_that_went_are_told() -> None:
    work = work_with("one")
    work.expiry_planned()
    whole = sum(len(row.workflow) for row in work.archive.argo_rows.values())
    stored = sum(log.size or 0 for log in work.archive.logs.values())

    done = work.expired()

    assert (done.row_bytes, done.object_bytes) == (whole, stored)
    assert stored > 0


def test_a_stored_log_without_a_reference_is_named_in_time() -> None:
    work = work_with("one", "two")
    assert unnamed_logs(work.site) == []

    del work.archive.references_by_row["default", uid_of(work, "one")]

    assert [log.workflow for log in unnamed_logs(work.site)] == ["one"]


def test_p3_objects_go_first_and_the_row_last() -> None:
    work = work_with("one")
    work.expiry_planned()
    seen: list[tuple[str, bool, set[str]]] = []

    def look(step: str) -> Callable[[object], None]:
        return lambda _: seen.append((step, bool(work.row_uids()), keys(work)))

    work.bucket.before("delete", look("object"))
    work.archive.before("expire_rows", look("row"))

    work.expired()

    assert seen == [("object", True, {"one/one/main.log"}), ("row", True, set())]


def test_p6_each_row_leaves_its_reason_with_logs_or_without() -> None:
    work = work_with("one", settings={"logs": {"save": "none"}})
    work.expiry_planned()

    work.expired()

    assert units(work)["one"].reason.startswith("finished 2026-06-14")
    assert units(work)["one"].stage == "done"


def test_p1_observe_expires_nothing() -> None:
    work = work_with("one", settings={"retention": {"mode": "observe"}})
    work.expiry_planned()

    done = work.expired()

    assert (done.applied, done.planned, done.units_done) == (False, 1, 0)
    assert len(work.row_uids()) == 1
    assert keys(work) == {"one/one/main.log"}


def test_p7_a_second_run_has_nothing_to_do() -> None:
    work = work_with("one")
    work.expiry_planned()
    work.expired()
    work.next_run()
    work.expiry_planned()

    done = work.expired()

    assert (done.planned, done.units_done) == (0, 0)


def test_progress_tells_of_references_that_are_read() -> None:
    work = work_with("one")
    work.archive.rows_read.clear()
    said: list[str] = []
    work.site = replace(work.site, progress=lambda stage, _done, _total: said.append(stage))
    work.expiry_planned()

    work.expired()

    assert {"references", "expire"} <= set(said)


# -- what a fresh look keeps ------------------------------------------------------------------------------


def test_p2_a_row_whose_namespace_is_held_since_the_plan_stays() -> None:
    work = work_with("one")
    work.expiry_planned()
    hold = {"argo-retention.io/hold": "audit"}
    work.cluster.add({"kind": "Namespace", "metadata": {"name": NAMESPACE, "annotations": hold}})

    done = work.expired()

    assert (done.not_now, done.units_done) == (1, 0)
    assert keys(work) == {"one/one/main.log"}


def test_p2_a_workflow_that_is_back_keeps_its_row() -> None:
    work = work_with("one")
    uid = uid_of(work, "one")
    work.expiry_planned()
    work.cluster.add_workflow("one", namespace=NAMESPACE, metadata={"uid": uid})

    done = work.expired()

    assert (done.not_now, done.units_done) == (1, 0)


def test_p2_a_clock_that_was_set_back_keeps_the_row() -> None:
    work = work_with("one")
    work.expiry_planned()
    work.at(NOW + timedelta(days=20))

    done = work.expired()

    assert (done.not_now, done.units_done) == (1, 0)


def test_p3_a_row_that_changed_since_the_plan_keeps_its_objects() -> None:
    work = work_with("one")
    key = ("default", uid_of(work, "one"))
    work.expiry_planned()
    row = work.archive.argo_rows[key]
    work.archive.argo_rows[key] = replace(row, workflow=row.workflow.replace(b"busybox", b"alpine"))

    done = work.expired()

    assert (done.not_now, done.units_done, done.failed) == (1, 0, [])
    assert keys(work) == {"one/one/main.log"}
    assert "one" not in units(work)


def test_p3_a_unit_that_was_begun_is_withdrawn_when_its_row_changed() -> None:
    """Killed after the intent; then the workflow was retried and archived anew."""
    work = work_with("one")
    key = ("default", uid_of(work, "one"))
    work.expiry_planned()
    work.bucket.fail("head", ObjectStoreError("killed"))
    work.expired()
    assert units(work)["one"].stage == "intended"
    row = work.archive.argo_rows[key]
    anew = row.workflow.replace(b"2026-06-14", b"2026-07-24")
    work.archive.argo_rows[key] = replace(row, workflow=anew, finishedat=LATER.replace(tzinfo=None))
    work.next_run()
    work.expiry_planned()

    done = work.expired()

    assert (done.resumed, done.not_now, done.units_done) == (1, 1, 0)
    assert units(work)["one"].stage == "withdrawn"
    assert keys(work) == {"one/one/main.log"}
    assert work.archive.open_units(clustername="default", instanceid="") == []


def test_p1_a_row_without_logs_that_changed_stays_too() -> None:
    work = work_with("one", settings={"logs": {"save": "none"}})
    key = ("default", uid_of(work, "one"))
    work.expiry_planned()
    row = work.archive.argo_rows[key]
    work.archive.argo_rows[key] = replace(row, workflow=row.workflow.replace(b"busybox", b"alpine"))

    done = work.expired()

    assert done.units_done == 0
    assert done.failed == ["ci/one: its row changed or is in use; the next run looks again"]
    assert len(work.row_uids()) == 1


# -- live workflows ---------------------------------------------------------------------------------------


def test_a_live_workflow_keeps_its_row() -> None:
    work = work_with("one", stays=True)

    made = work.expiry_planned()

    assert [d.reason.value for d in made.plan.decisions] == ["live"]


def test_expire_while_live_is_as_argo_does_and_is_not_archived_again() -> None:
    settings = {"expiry": {"while_live": "expire"}}
    work = work_with("one", stays=True, settings=settings)
    work.expiry_planned()

    done = work.expired()
    work.next_run()
    again = work.archived()

    assert done.units_done == 1
    assert work.row_uids() == set()
    assert (again.archived, again.proven_before) == (0, 1)


def test_a_live_one_that_goes_after_the_plan_expires_as_any_other() -> None:
    work = work_with("one", stays=True, settings={"expiry": {"while_live": "expire"}})
    work.expiry_planned()
    work.cluster.remove("Workflow", NAMESPACE, "one")

    assert work.expired().units_done == 1
    assert work.archive.proofs == {}


# -- objects ----------------------------------------------------------------------------------------------


def test_p4_an_object_that_another_row_names_stays() -> None:
    work = work_with("one")
    other = LogReference(bucket=BUCKET, key="one/one/main.log", clustername="other", uid="u2")
    work.archive.references_by_row["other", "u2"] = {other}
    work.expiry_planned()

    done = work.expired()

    assert done.units_done == 1
    assert done.kept_objects == ["logs/one/one/main.log: workflow u2 names it too"]
    assert units(work)["one"].kept_objects == tuple(done.kept_objects)
    assert keys(work) == {"one/one/main.log"}


def test_p4_rows_that_argo_wrote_are_read_before_any_object_goes() -> None:
    """Nobody has looked into the other row yet, and its node names the same object."""
    work = work_with("one")
    row = work.archive.argo_rows["default", uid_of(work, "one")]
    theirs = replace(row, clustername="other", uid="u2")
    work.archive.argo_rows["other", "u2"] = theirs
    work.expiry_planned()

    done = work.expired()

    assert done.kept_objects == ["logs/one/one/main.log: workflow u2 names it too"]


def test_p4_an_object_that_was_overwritten_stays() -> None:
    work = work_with("one")
    work.expiry_planned()
    work.bucket.before("delete", lambda call: work.bucket.add(call["key"], b"of another\n"))

    done = work.expired()

    assert done.objects["kept"] == 1
    assert "overwritten since it was recorded" in done.kept_objects[0]
    assert work.bucket.objects["one/one/main.log"].body == b"of another\n"


def test_p4_an_object_whose_key_a_live_namesake_may_use_stays() -> None:
    work = work_with("one")
    work.run("one", log=None)
    work.expiry_planned()

    done = work.expired()

    assert "has the same name and may use the same key" in done.kept_objects[0]


def test_an_object_that_is_gone_already_is_gone() -> None:
    work = work_with("one")
    work.bucket.objects.clear()
    work.expiry_planned()

    done = work.expired()

    assert (done.units_done, dict(done.objects)) == (1, {"gone": 1})


def test_p4_an_object_of_an_unknown_bucket_stays() -> None:
    work = work_with("one")
    uid = uid_of(work, "one")
    nowhere = LogReference(bucket="", key="k", clustername="default", uid=uid)
    work.archive.references_by_row["default", uid].add(nowhere)
    work.expiry_planned()

    done = work.expired()

    assert done.kept_objects == [
        "/k: its row does not tell the bucket (a template has a location of its own)"
    ]


def test_p3_an_object_that_cannot_be_deleted_keeps_the_row_and_the_unit_open() -> None:
    work = work_with("one", "two")
    work.expiry_planned()
    work.bucket.fail(
        "delete",
        ObjectStoreError("503 slow down\nwait"),
        where=lambda call: call["key"].startswith("one/"),
    )

    done = work.expired()

    assert done.failed == ["ci/one: 503 slow down"]
    assert {name: unit.stage for name, unit in units(work).items()} == {
        "one": "intended",
        "two": "done",
    }
    assert len(work.row_uids()) == 1


def test_p3_a_repository_that_left_the_configuration_keeps_the_row() -> None:
    work = work_with("one")
    work.expiry_planned()
    argo = replace(work.site.installation.argo, artifact_repository=None)
    work.site = replace(work.site, installation=replace(work.site.installation, argo=argo))

    done = work.expired()

    assert "There is no S3 repository in the configuration any more" in done.failed[0]
    assert len(work.row_uids()) == 1
