"""A row of a higher version than the workflow's: it is never overwritten, and proves where it is equal."""

from dataclasses import replace

from argo_retention_tests.operations.at_work import AtWork

HIGHER = 999_999


def work_with_a_higher_row(**changed: str) -> tuple[AtWork, bytes]:
    """One archived workflow whose row is of a later version, perhaps with other texts in it; the row's JSON."""
    work = AtWork({"logs": {"save": "none"}})
    one = work.run("one", log=None)
    work.archived()
    key = ("default", one.uid)
    row = work.archive.argo_rows[key]
    texts = {
        f'"resourceVersion":"{one.resource_version}': f'"resourceVersion":"{HIGHER}',
        **changed,
    }
    workflow = row.workflow
    for old, new in texts.items():
        assert old.encode() in workflow
        workflow = workflow.replace(old.encode(), new.encode())
    work.archive.argo_rows[key] = replace(row, workflow=workflow, resource_version=HIGHER)
    work.archive.proofs.clear()
    work.next_run()
    return work, workflow


def workflows(work: AtWork) -> list[bytes]:
    return [row.workflow for row in work.archive.argo_rows.values()]


def test_p1_an_older_object_never_overwrites_a_newer_row() -> None:
    work, newer = work_with_a_higher_row(busybox="another")

    done = work.archived()

    [refusal] = done.refusals
    assert (refusal.reason, refusal.sentence) == (
        "refused_row",
        "the archive has a newer version of it",
    )
    assert workflows(work) == [newer]


def test_p1_a_row_of_a_higher_version_proves_when_it_is_equal_as_after_a_restore_of_etcd() -> None:
    work, higher = work_with_a_higher_row()

    done = work.archived()

    assert (done.archived, done.proven_now) == (0, 1)
    assert workflows(work) == [higher]
