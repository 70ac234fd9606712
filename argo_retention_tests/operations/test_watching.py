"""What a short watch sees: workflows that finished and that nobody has archived."""

import pytest

from argo_retention.errors import WatchExpiredError
from argo_retention.operations.watching import Seen, look_for_finished
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

ARCHIVED = {"labels": {"workflows.argoproj.io/workflow-archiving-status": "Archived"}}
COMPLETED = {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}


def look(work: AtWork, cursor: str = "") -> Seen:
    return look_for_finished(work.cluster, work.site.installation, cursor, seconds=0)


def finish(work: AtWork, name: str) -> None:
    work.cluster.change(
        "Workflow", NAMESPACE, name, lambda it: it["metadata"]["labels"].update(COMPLETED)
    )


def test_without_a_cursor_everything_is_listed() -> None:
    work = AtWork()
    work.run("one")
    work.run("archived", metadata=ARCHIVED)
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)

    seen = look(work)

    assert (seen.finished, seen.looked_at, seen.listed) == (("ci/one",), 3, True)


def test_from_a_cursor_only_what_changed_is_seen() -> None:
    work = AtWork()
    work.run("before")
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)
    cursor = look(work).cursor
    finish(work, "running")

    seen = look(work, cursor)

    assert (seen.finished, seen.looked_at, seen.listed) == (("ci/running",), 1, False)
    assert look(work, seen.cursor).finished == ()


def test_what_finished_and_went_waits_no_more() -> None:
    work = AtWork()
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)
    cursor = look(work).cursor
    finish(work, "running")
    work.cluster.remove("Workflow", NAMESPACE, "running")

    seen = look(work, cursor)

    assert (seen.finished, seen.looked_at) == ((), 2)


def test_a_bookmark_moves_the_cursor_and_is_no_workflow() -> None:
    work = AtWork()
    cursor = look(work).cursor
    work.cluster.add({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": NAMESPACE}})

    seen = look(work, cursor)

    assert seen.looked_at == 0
    assert int(seen.cursor) >= int(cursor)


@pytest.mark.parametrize("how", ["compacted", "said by the server"])
def test_a_cursor_that_is_too_old_is_a_list(how: str) -> None:
    work = AtWork()
    cursor = look(work).cursor
    work.run("one")
    if how == "compacted":
        work.cluster.compact()
    else:
        work.cluster.fail("watch_metadata", WatchExpiredError("410"))

    seen = look(work, cursor)

    assert (seen.finished, seen.listed) == (("ci/one",), True)
