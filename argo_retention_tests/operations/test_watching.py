"""What a short watch sees: workflows that finished and that nobody has archived."""

import pytest

from argo_retention.core.watch_cursors import Scope
from argo_retention.errors import WatchExpiredError
from argo_retention.operations.watching import (
    QUIET_SECONDS,
    SAMPLE,
    Seen,
    look_for_finished,
    look_over,
    sampled_bytes,
)
from argo_retention_tests.operations.at_work import NAMESPACE, AtWork

ARCHIVED = {"labels": {"workflows.argoproj.io/workflow-archiving-status": "Archived"}}
COMPLETED = {"workflows.argoproj.io/completed": "true", "workflows.argoproj.io/phase": "Succeeded"}


SCOPE = Scope(selector="", namespace=None)


def look(work: AtWork, version: str = "", settled: str = "") -> Seen:
    return look_for_finished(work.cluster, SCOPE, version, settled=settled)


def paths(seen: Seen) -> list[str]:
    return sorted(seen.finished.values())


def finish(work: AtWork, name: str) -> None:
    work.cluster.change(
        "Workflow", NAMESPACE, name, lambda it: it["metadata"]["labels"].update(COMPLETED)
    )


def test_without_a_version_everything_is_listed_and_counted() -> None:
    work = AtWork()
    one = work.run("one")
    work.run("archived", metadata=ARCHIVED)
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)

    seen = look(work)

    assert (paths(seen), seen.looked_at) == (["ci/one"], 3)
    assert seen.listed == "there is no version to watch from"
    overview = seen.overview
    assert overview is not None
    assert (overview.live, overview.finished, overview.waiting) == (3, 2, 1)
    assert overview.by_phase == {"Succeeded": 2, "Running": 1}
    assert overview.by_namespace == {NAMESPACE: 3}
    assert overview.oldest_waiting == one.created_at
    assert look_over(work.cluster, SCOPE) == overview


def test_from_a_version_only_what_changed_is_seen() -> None:
    work = AtWork()
    work.run("before")
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)
    version = look(work).version
    finish(work, "running")

    seen = look(work, version)

    assert (paths(seen), seen.looked_at, seen.listed) == (["ci/running"], 1, "")
    assert look(work, seen.version).finished == {}


def test_what_finished_and_went_waits_no_more() -> None:
    work = AtWork()
    running = work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)
    version = look(work).version
    finish(work, "running")
    work.cluster.remove("Workflow", NAMESPACE, "running")

    seen = look(work, version)

    assert (seen.finished, seen.looked_at) == ({}, 2)
    assert seen.gone == {running.uid}


def test_an_unchanged_cluster_costs_one_item_and_a_silence() -> None:
    work = AtWork()
    for number in range(30):
        work.run(f"w{number}")
    version = look(work).version
    work.cluster.calls.clear()

    seen = look(work, version)

    assert (seen.finished, seen.gone, seen.looked_at) == ({}, frozenset(), 0)
    listed, watched = work.cluster.calls
    assert (listed.method, listed.arguments["page_size"]) == ("list_metadata", 1)
    assert (watched.method, watched.arguments["quiet_seconds"]) == ("watch_metadata", QUIET_SECONDS)


def test_the_version_of_the_last_look_moves_a_cursor_that_no_event_moves() -> None:
    """A version that stays behind in a quiet corner of a busy cluster would soon be too old."""
    work = AtWork()
    version = look(work).version
    work.cluster.watch_bookmarks = False
    work.cluster.add({"kind": "ConfigMap", "metadata": {"name": "c", "namespace": NAMESPACE}})

    first = look(work, version)
    second = look(work, first.version, first.settled)

    assert first.version == version
    assert int(first.settled) > int(version)
    assert second.version == first.settled


def test_a_cluster_that_was_set_back_is_listed() -> None:
    work = AtWork()
    work.run("one")

    seen = look(work, "99999999")

    assert paths(seen) == ["ci/one"]
    assert "was set back" in seen.listed


@pytest.mark.parametrize("how", ["compacted", "said by the server"])
def test_a_version_that_is_too_old_is_a_list(how: str) -> None:
    work = AtWork()
    version = look(work).version
    work.run("one")
    if how == "compacted":
        work.cluster.compact()
    else:
        work.cluster.fail("watch_metadata", WatchExpiredError("410"))

    seen = look(work, version)

    assert paths(seen) == ["ci/one"]
    assert "too old to watch from" in seen.listed


def test_bytes_are_estimated_from_a_few() -> None:
    work = AtWork()
    for number in range(SAMPLE + 5):
        work.run(f"w{number:02}")
    bodies = [b for page in work.cluster.list_full(selector="", namespace=None) for b in page]

    size = sampled_bytes(work.cluster, SCOPE, len(bodies))

    assert size == pytest.approx(sum(len(body) for body in bodies), rel=0.05)
    assert sampled_bytes(AtWork().cluster, SCOPE, 0) == 0
