"""The snapshot: complete or none, believed or not, and what its file keeps of a workflow."""

from dataclasses import replace
from datetime import datetime

import pytest

from argo_retention.core.live_workflows import OwnerReference
from argo_retention.errors import ClusterForbiddenError, ListIncompleteError, ObjectStoreError
from argo_retention.operations.snapshotting import (
    SNAPSHOT_COLUMNS,
    SNAPSHOT_SCHEMA,
    Snapshot,
    from_row,
    list_live,
    read_snapshot,
    take_snapshot,
    to_row,
)
from argo_retention_tests.core import factories
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

HOLD = "argo-retention.io/hold"


def snapshot(work: AtWork) -> Snapshot:
    return take_snapshot(work.site, work.grant(work.site.root_run))


def put(work: AtWork, count: int) -> None:
    for number in range(count):
        work.cluster.add_workflow(f"run-{number}", namespace=NAMESPACE, phase=None)


def take_away(work: AtWork, count: int) -> None:
    for number in range(count):
        work.cluster.remove("Workflow", NAMESPACE, f"run-{number}")


# -- complete, or none ------------------------------------------------------------------------------------


def test_a_snapshot_is_one_file_of_its_run_with_all_pages() -> None:
    work = AtWork()
    put(work, 501)  # a page has 500
    work.run("done", log=None)
    work.run("broken", log=None, phase="Failed")
    work.cluster.add_workflow("new", namespace=NAMESPACE, phase="")
    told: list[tuple[str, int, int | None]] = []
    work.site = replace(work.site, progress=lambda *what: told.append(what))

    taken = snapshot(work)

    assert (taken.record.live, taken.record.finished) == (504, 2)
    assert taken.by_phase == {"Running": 502, "Succeeded": 1, "Failed": 1}
    assert taken.record.path == "snapshots/prod/run-1.parquet"
    assert taken.uri == work.tables.uri(taken.record.path)
    assert len(work.tables.files[taken.record.path]) == 504
    assert told[-1] == ("snapshot", 504, 504)


@pytest.mark.parametrize(
    "error", [ListIncompleteError("410 twice"), ClusterForbiddenError("may not list")]
)
@pytest.mark.parametrize("pages", [0, 1])
def test_p2_a_list_that_fails_is_no_snapshot_and_leaves_no_file(
    error: ListIncompleteError | ClusterForbiddenError, pages: int
) -> None:
    work = AtWork()
    put(work, 501)
    work.cluster.fail("list_metadata", error, after=pages)

    with pytest.raises(type(error)):
        snapshot(work)

    assert work.tables.files == {}
    assert work.archive.snapshots == {}


def test_p2_a_file_that_cannot_be_written_is_no_snapshot() -> None:
    work = AtWork()
    put(work, 1)
    work.tables.fail("write", ObjectStoreError("503"))

    with pytest.raises(ObjectStoreError):
        snapshot(work)

    assert work.archive.snapshots == {}


def test_p2_a_managed_namespace_that_is_not_there_is_no_empty_list() -> None:
    work = AtWork()
    put(work, 1)
    work.site = replace(
        work.site, installation=replace(work.site.installation, managed_namespace="gone")
    )

    with pytest.raises(ListIncompleteError, match="gone"):
        snapshot(work)


def test_p2_what_another_installation_manages_is_not_seen() -> None:
    work = AtWork()
    put(work, 1)
    work.cluster.add_workflow("elsewhere", namespace="other", phase=None)
    work.cluster.add_workflow(
        "theirs",
        namespace=NAMESPACE,
        metadata={"labels": {"workflows.argoproj.io/controller-instanceid": "theirs"}},
    )
    work.site = replace(
        work.site, installation=replace(work.site.installation, managed_namespace=NAMESPACE)
    )

    assert snapshot(work).record.live == 1
    assert [workflow.name for workflow in list_live(work.site)] == ["run-0"]


def test_the_snapshot_of_another_run_is_not_this_runs() -> None:
    work = AtWork()
    put(work, 1)
    snapshot(work)
    work.next_run()

    with pytest.raises(ListIncompleteError, match="Run run-2 has no snapshot of cluster prod"):
        read_snapshot(work.site)


# -- believed, or not -------------------------------------------------------------------------------------


def test_the_first_list_may_be_empty() -> None:
    taken = snapshot(AtWork())

    assert (taken.record.live, taken.refusal, taken.record.accepted) == (0, "", True)
    assert taken.by_phase == {}


def test_p2_an_empty_list_after_one_that_was_not_is_not_believed() -> None:
    work = AtWork()
    put(work, 3)
    snapshot(work)
    take_away(work, 3)
    work.next_run()

    taken = snapshot(work)

    assert not taken.record.accepted
    assert taken.refusal.startswith("The list is empty, 3 workflows were expected")


def test_p2_a_list_that_is_not_believed_is_no_measure_for_the_next() -> None:
    work = AtWork()
    put(work, 3)
    snapshot(work)
    take_away(work, 3)
    work.next_run()
    snapshot(work)
    work.next_run()

    assert snapshot(work).refusal.startswith("The list is empty, 3 workflows were expected")


@pytest.mark.parametrize(
    ("before", "gone", "believed"), [(60, 31, False), (60, 30, True), (49, 48, True)]
)
def test_p2_a_list_that_lost_more_than_half_of_fifty_or_more_is_not_believed(
    before: int, gone: int, believed: bool
) -> None:
    work = AtWork()
    put(work, before)
    snapshot(work)
    take_away(work, gone)
    work.next_run()

    taken = snapshot(work)

    assert taken.record.accepted is believed
    said = f"The list has {before - gone} workflows, {before} were expected"
    assert taken.refusal.startswith(said) is not believed


@pytest.mark.parametrize("left", [0, 1])
def test_a_person_may_say_that_they_were_deleted(left: int) -> None:
    work = AtWork({"brakes": {"max_drop": 1}})
    put(work, 60)
    snapshot(work)
    take_away(work, 60 - left)
    work.next_run()

    assert snapshot(work).record.accepted


def test_what_we_deleted_ourselves_is_not_missed() -> None:
    work = AtWork(
        {"argo": {"retentionPolicy": {"completed": 0}}, "brakes": {"max_share": 1}},
        archive_on=False,
    )
    for number in range(3):
        work.run(f"run-{number}", log=None)
    work.planned()
    assert work.collected().deleted == 3
    work.next_run()

    taken = snapshot(work)

    assert (taken.record.live, taken.record.accepted) == (0, True)


# -- what the file keeps ----------------------------------------------------------------------------------


def test_each_column_of_the_file_is_explained() -> None:
    assert (
        list(SNAPSHOT_COLUMNS) == list(SNAPSHOT_SCHEMA) == list(to_row(factories.live_workflow()))
    )


def test_a_workflow_comes_back_from_the_file_as_it_was() -> None:
    workflow = factories.live_workflow(
        template="nightly",
        labels={"team": "a"},
        annotations={HOLD: "audit", "argo-retention.io/archive-ttl": "9d"},
        finalizers=("workflows.argoproj.io/artifact-gc",),
        owners=(OwnerReference(kind="CronWorkflow", name="nightly", uid="u-1"),),
        deleting=True,
    )

    assert from_row(to_row(workflow)) == workflow


def test_annotations_of_others_stay_out_of_the_file() -> None:
    """They may be large (kubectl keeps the whole object in one), and secret."""
    workflow = factories.live_workflow(annotations={HOLD: "audit", "note": "password"})

    assert to_row(workflow)["annotations"] == {HOLD: "audit"}


def test_the_file_says_when_a_workflow_was_made() -> None:
    work = AtWork()
    one = work.run("one", log=None)
    snapshot(work)

    record, [read] = read_snapshot(work.site)

    assert read == one
    assert read.created_at == datetime.fromisoformat("2026-06-14T12:00:00Z")
    assert int(record.resource_version) >= one.resource_version
