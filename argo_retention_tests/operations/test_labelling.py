"""The label on what stays: only on proven versions, only where Argo's archive is on, never on what goes."""

import pytest

from argo_retention.errors import ClusterError, ClusterForbiddenError
from argo_retention.operations import labelling
from argo_retention.operations.labelling import label_archived
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.operations.at_work import DAY, NAMESPACE, AtWork

KEEP_ONE = {"argo": {"retentionPolicy": {"completed": 1}}, "logs": {"save": "none"}}


def labelled(work: AtWork) -> set[str]:
    return {w.name for w in work.cluster.workflows() if w.archiving_status == "Archived"}


def label(work: AtWork) -> int:
    return label_archived(work.site, work.grant(work.site.root_run)).count


def annotate(work: AtWork) -> None:
    """Somebody changes `one`; it has a new version."""
    work.cluster.change(
        "Workflow", NAMESPACE, "one", lambda it: it["metadata"].update(annotations={"a": "b"})
    )


def test_what_stays_is_labelled_and_what_goes_is_not() -> None:
    work = AtWork(KEEP_ONE)
    work.run("old", log=None, age=DAY * 3)
    work.run("new", log=None)
    work.archived()

    assert label(work) == 1
    assert labelled(work) == {"new"}


def test_p7_the_proof_holds_for_the_version_with_our_label() -> None:
    work = AtWork(KEEP_ONE)
    work.run("one", log=None)
    work.archived()
    label(work)
    work.next_run()

    done = work.archived()

    assert (done.proven_before, done.archived) == (1, 0)
    assert label(work) == 0


def test_without_argos_archive_nothing_is_labelled() -> None:
    """Argo's server would look for rows in an archive that it does not read."""
    work = AtWork(KEEP_ONE, archive_on=False)
    work.run("one", log=None)
    work.archived()

    assert label(work) == 0
    assert labelled(work) == set()


def test_p1_one_that_changed_meanwhile_is_left() -> None:
    work = AtWork(KEEP_ONE)
    work.run("one", log=None)
    work.archived()
    work.cluster.before("mark_archived", lambda _: annotate(work))

    assert label(work) == 0
    assert labelled(work) == set()


def test_p1_a_patch_that_meets_a_conflict_leaves_the_proof_as_it_was() -> None:
    work = AtWork(KEEP_ONE)
    one = work.run("one", log=None)
    work.archived()
    work.cluster.before("mark_archived", lambda _: annotate(work))

    label(work)

    [proof] = work.archive.proven_versions(clustername="default", uids=[one.uid])
    [now] = work.cluster.workflows()
    assert proof.holds_for(one.resource_version)
    assert not proof.holds_for(now.resource_version)


def test_one_that_goes_meanwhile_is_left_and_the_others_are_labelled() -> None:
    work = AtWork({"logs": {"save": "none"}})
    work.run("one", log=None)
    work.run("two", log=None)
    work.archived()
    work.cluster.before(
        "mark_archived",
        lambda _: work.cluster.remove("Workflow", NAMESPACE, "one"),
        where=lambda call: call["name"] == "one",
    )

    assert label(work) == 1
    assert labelled(work) == {"two"}


@pytest.mark.parametrize("why", ["running", "row is gone", "other version", "deleting"])
def test_p1_only_what_is_proven_and_stays_is_labelled(why: str) -> None:
    """With the label Argo's server shows the row instead: without a right row, nothing."""
    work = AtWork({"logs": {"save": "none"}})
    finalizers = {"finalizers": ["wait"]} if why == "deleting" else {}
    one = work.run(
        "one", log=None, phase=None if why == "running" else "Succeeded", metadata=finalizers
    )
    if why == "deleting":
        work.cluster.delete_workflow(
            namespace=NAMESPACE, name="one", uid=one.uid, resource_version=one.resource_version
        )
    work.archived()
    if why == "row is gone":
        work.archive.remove_row("default", one.uid)
    if why == "other version":
        work.next_run()
        annotate(work)
        take_snapshot(work.site, work.grant(work.site.root_run))

    assert label(work) == 0
    assert work.cluster.calls_of("mark_archived") == []


def test_many_are_labelled_in_batches_each_remembered_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crash in between forgets one batch at most, whose workflows are then compared anew."""
    monkeypatch.setattr(labelling, "BATCH", 2)
    work = AtWork({"logs": {"save": "none"}})
    names = {work.run(f"run-{number}", log=None).name for number in range(5)}
    work.archived()

    assert label(work) == 5
    assert labelled(work) == names
    patched = [len(call["versions"]) for call in work.archive.calls_of("record_patched")]
    assert patched == [2, 2, 1]


def several(count: int, **settings: object) -> AtWork:
    work = AtWork({"logs": {"save": "none"}, **settings})
    for number in range(count):
        work.run(f"run-{number}", log=None)
    work.archived()
    return work


def test_one_label_that_cannot_be_set_is_named_and_set_by_the_next_run() -> None:
    work = several(3)
    work.cluster.fail("mark_archived", ClusterError("500: somebody tripped\nLook."))

    result = label_archived(work.site, work.grant(work.site.root_run))

    [(workflow, why)] = result.failed
    assert (result.count, why) == (2, "500: somebody tripped")
    assert labelled(work) == {"run-0", "run-1", "run-2"} - {workflow.name}
    assert label(work) == 1


def test_a_server_that_always_fails_is_left_alone_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(labelling, "IN_FLIGHT", 1)
    monkeypatch.setattr(labelling, "FAILURES_BEFORE_STOP", 2)
    work = several(5)
    work.cluster.fail("mark_archived", ClusterError("503"), times=None)

    result = label_archived(work.site, work.grant(work.site.root_run))

    assert (result.count, len(result.failed)) == (0, 2)
    assert len(work.cluster.calls_of("mark_archived")) == 2


def test_p7_once_it_is_forbidden_those_that_wait_for_their_turn_are_left() -> None:
    """One patch a day: the second waits while the first fails, and is not sent then."""
    work = several(3, brakes={"per_second": 1 / 86400})
    work.cluster.fail("mark_archived", ClusterForbiddenError("403"), times=None)

    with pytest.raises(ClusterForbiddenError):
        label(work)

    assert len(work.cluster.calls_of("mark_archived")) == 1
