"""P6: what leaves the cluster without us is named in the ledger, once."""

from argo_retention.errors import ObjectStoreError
from argo_retention.operations.explaining import explain
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention.operations.vanishing import not_archived
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork


def looked(work: AtWork) -> list[str]:
    """Names of what vanished since the last snapshot."""
    work.next_run()
    return [each.name for each in take_snapshot(work.site, work.grant()).vanished]


def test_p6_what_somebody_else_deleted_is_named_once_and_explained() -> None:
    work = AtWork()
    names = ["one", "two", "three"]
    uids = {name: work.run(name).uid for name in names}
    take_snapshot(work.site, work.grant())
    work.cluster.remove("Workflow", NAMESPACE, "two")

    assert looked(work) == ["two"]
    assert looked(work) == []

    [life] = explain(work.site, uids["two"])
    [deletion] = life.deletions
    assert (deletion.outcome, deletion.by_whom) == ("vanished", "somebody else")
    assert life.removed_by_others
    assert any("Argo or a person deleted it" in event.what for event in life.events)


def test_p6_what_vanished_before_it_was_archived_is_told_apart() -> None:
    work = AtWork()
    work.run("archived")
    work.run("stays")
    work.archived()
    work.next_run()
    work.run("not-yet")
    take_snapshot(work.site, work.grant(work.site.root_run))
    for name in ("archived", "not-yet"):
        work.cluster.remove("Workflow", NAMESPACE, name)
    work.next_run()

    vanished = take_snapshot(work.site, work.grant(work.site.root_run)).vanished

    assert sorted(each.name for each in vanished) == ["archived", "not-yet"]
    assert [each.name for each in not_archived(work.site, vanished)] == ["not-yet"]


def test_what_we_deleted_did_not_vanish() -> None:
    work = AtWork({"rules": [{"name": "all", "keep": {"last": 0}}]})
    work.run("one")
    work.planned()
    done = work.collected()
    assert done.deleted == 1

    assert looked(work) == []


def test_nothing_vanishes_from_a_first_list_or_one_whose_file_is_gone() -> None:
    work = AtWork()
    work.run("one")
    work.run("two")
    assert looked(work) == []
    work.cluster.remove("Workflow", NAMESPACE, "two")
    work.tables.fail("read", ObjectStoreError("gone"))

    assert looked(work) == []


def test_a_list_that_is_not_believed_names_nobody() -> None:
    work = AtWork()
    names = [f"w{number}" for number in range(60)]
    for name in names:
        work.run(name)
    take_snapshot(work.site, work.grant())
    for name in names[:40]:
        work.cluster.remove("Workflow", NAMESPACE, name)

    work.next_run()
    snapshot = take_snapshot(work.site, work.grant())

    assert snapshot.refusal
    assert snapshot.vanished == ()
