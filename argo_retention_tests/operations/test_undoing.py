"""Rows of what is deleted are kept outside the database before, and can be found and put back."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core import labels
from argo_retention.core.undo import copy_to_look_at
from argo_retention.errors import ConfigurationError, DatabaseError, ObjectStoreError
from argo_retention.operations.undoing import (
    find_kept,
    kept_files,
    kept_rows,
    restore_row,
    throw_away,
)
from argo_retention_tests.fakes.archive import FakeArchive
from argo_retention_tests.operations.at_work import NOW, AtWork
from argo_retention_tests.operations.collecting_world import deletes, work_with

DAY = timedelta(days=1)
EXPIRES = {"argo": {"archiveTTL": "1h"}, "expiry": {"undo": "7d"}}


def lose_the_database(work: AtWork) -> None:
    work.site = replace(work.site, archive=FakeArchive(now=NOW))


def expired_work(**settings: object) -> AtWork:
    """Two archived workflows past their TTL that are in the cluster no more, and a plan to expire them."""
    work = AtWork({**EXPIRES, "logs": {"save": "none"}, **settings})
    for name in ("one", "two"):
        work.run(name, log=None)
    work.archived()
    for workflow in work.cluster.workflows():
        work.cluster.remove("Workflow", workflow.namespace, workflow.name)
    work.archive.snapshots.clear()
    work.next_run()
    work.expiry_planned()
    return work


def test_p1_rows_are_kept_before_the_first_request_and_need_no_database() -> None:
    work = work_with("one", "two")
    rows = {row.uid: row for row in work.archive.argo_rows.values()}

    work.collected()
    planned = {d.uid: d.reason for _, d in work.archive.deletions.values()}
    lose_the_database(work)

    [file] = kept_files(work.site)
    assert (file.kind, file.rows, file.run_id) == ("deleted", 2, work.site.run_id)
    kept = {each.row.uid: each for each in kept_rows(work.site, file.path)}
    assert {uid: each.row for uid, each in kept.items()} == rows
    assert {uid: each.reason for uid, each in kept.items()} == planned
    assert [find_kept(work.site, uid).row for uid in rows] == list(rows.values())


def test_p1_what_cannot_be_kept_is_not_deleted() -> None:
    work = work_with("one")
    work.tables.fail(
        "write", ObjectStoreError("no room"), where=lambda call: call["path"].startswith("undo/")
    )

    with pytest.raises(ObjectStoreError, match="no room"):
        work.collected()

    assert deletes(work) == 0


def test_nothing_is_kept_when_undo_is_off() -> None:
    work = work_with("one", settings={"retention": {"mode": "apply", "proof_age": 0, "undo": 0}})

    work.collected()

    assert work.names() == set()
    assert list(kept_files(work.site)) == []


def test_of_a_row_that_expired_while_it_was_live_nothing_is_left_to_keep() -> None:
    work = AtWork(
        {
            "argo": {"archiveTTL": "1h", "retentionPolicy": {"completed": 0}},
            "expiry": {"while_live": "expire"},
            "logs": {"save": "none"},
        }
    )
    work.run("one", log=None)
    work.planned()
    work.expiry_planned()
    assert work.expired().units_done == 1

    assert work.collected().deleted == 1

    assert list(kept_files(work.site)) == []


def test_in_mode_observe_nothing_is_kept() -> None:
    work = work_with("one", settings={"retention": {"mode": "observe", "proof_age": 0}})

    work.collected()

    assert list(kept_files(work.site)) == []


def test_expired_rows_are_kept_when_it_is_wanted() -> None:
    work = expired_work()

    work.expired()

    [file] = kept_files(work.site)
    assert (file.kind, file.rows) == ("expired", 2)
    assert work.row_uids() == set()


def test_p3_what_cannot_be_kept_loses_neither_log_nor_row() -> None:
    work = AtWork({**EXPIRES, "bucket": {"exclusive": True}})
    one = work.run("one")
    work.archived()
    work.cluster.remove("Workflow", one.namespace, one.name)
    work.archive.snapshots.clear()
    work.next_run()
    work.expiry_planned()
    work.tables.fail(
        "write", ObjectStoreError("no room"), where=lambda call: call["path"].startswith("undo/")
    )

    with pytest.raises(ObjectStoreError, match="no room"):
        work.expired()

    assert len(work.bucket.objects) == 1
    assert work.row_uids() == {one.uid}


def test_expired_rows_are_not_kept_by_default() -> None:
    work = expired_work(expiry={})

    work.expired()

    assert list(kept_files(work.site)) == []


def test_a_restored_row_is_the_row_that_was_and_is_proven() -> None:
    work = expired_work()
    before = dict(work.archive.argo_rows)
    work.expired()
    uid = next(iter(before))[1]

    restore_row(work.site, work.grant(work.site.root_run), find_kept(work.site, uid))

    assert work.archive.argo_rows == {("default", uid): before["default", uid]}
    [proof] = work.archive.proven_versions(clustername="default", uids=[uid])
    assert proof.row_exists


def test_a_row_that_is_there_is_not_overwritten() -> None:
    work = work_with("one")
    [uid] = work.row_uids()
    work.collected()

    with pytest.raises(DatabaseError, match="was not put back: row changed meanwhile"):
        restore_row(work.site, work.grant(work.site.root_run), find_kept(work.site, uid))


def test_what_was_never_kept_is_said_with_the_way_on() -> None:
    work = work_with("one")
    work.collected()

    with pytest.raises(ConfigurationError, match="no row of uid nobody is kept below"):
        find_kept(work.site, "nobody")


@pytest.mark.parametrize(("age", "left"), [(13, 1), (15, 0)])
def test_kept_rows_are_thrown_away_after_their_time(age: int, left: int) -> None:
    work = work_with("one")
    work.collected()
    work.at(NOW + timedelta(days=age))

    assert throw_away(work.site) == 1 - left

    assert len(list(kept_files(work.site))) == left


def test_a_file_of_somebody_else_is_not_thrown_away() -> None:
    work = work_with("one")
    work.tables.write_bytes("undo/prod/notes.txt", b"mine")
    work.at(NOW + 365 * DAY)

    assert throw_away(work.site) == 0


def test_p2_a_copy_is_held_by_itself_and_never_archived() -> None:
    work = work_with("one")
    [row] = work.archive.argo_rows.values()
    work.collected()
    copy = copy_to_look_at(msgspec.json.decode(row.workflow), because="to look at")
    work.cluster.add(copy)
    work.next_run()

    made = work.planned()

    assert len(work.row_uids()) == 1
    assert [d.reason.value for d in made.plan.decisions] == ["held"]
    assert work.collected().deleted == 0


def test_p4_logs_of_a_copy_that_is_looked_at_are_not_expired() -> None:
    work = AtWork({**EXPIRES, "bucket": {"exclusive": True}})
    one = work.run("one")
    work.archived()
    [row] = work.archive.argo_rows.values()
    work.cluster.remove("Workflow", one.namespace, one.name)
    work.archive.snapshots.clear()
    work.cluster.add(copy_to_look_at(msgspec.json.decode(row.workflow), because="to look at"))
    work.next_run()
    work.expiry_planned()

    done = work.expired()

    assert done.objects == {"kept": 1}
    assert len(work.bucket.objects) == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["labels", "finalizers", "uid", "name", "x"]), JSON))
def test_a_copy_has_nothing_that_would_delete_it(extra: dict[str, object]) -> None:
    metadata = {
        **{k: v for k, v in extra.items() if k not in {"labels", "uid"}},
        "uid": "u-1",
        "ownerReferences": [{"uid": "o"}],
        "labels": {labels.CRON_WORKFLOW: "nightly", labels.COMPLETED: "true"},
    }
    spec = {"ttlStrategy": {"secondsAfterCompletion": 1}, "entrypoint": "main"}
    workflow = {
        "metadata": metadata,
        "spec": spec,
        "status": {"storedWorkflowTemplateSpec": spec, "phase": "Succeeded"},
    }

    copy = copy_to_look_at(workflow, because="to look at")

    assert copy_to_look_at({"metadata": {}}, because="x")["status"] == {}
    assert not {"uid", "ownerReferences", "finalizers"} & copy["metadata"].keys()
    assert copy["metadata"]["labels"] == {labels.COMPLETED: "true"}
    assert copy["metadata"]["annotations"] == {
        labels.HOLD: "to look at",
        labels.RESTORED_FROM: "u-1",
    }
    assert copy["spec"] == {"entrypoint": "main"}
    assert copy["status"] == {
        "storedWorkflowTemplateSpec": {"entrypoint": "main"},
        "phase": "Succeeded",
    }
    assert metadata["labels"][labels.CRON_WORKFLOW] == "nightly"  # type: ignore[index]
