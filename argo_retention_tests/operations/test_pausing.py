"""A pause stops deletions from the next batch on, whoever said it; the audit has a line for each that went."""

import gzip
import json
from datetime import timedelta

import pytest

from argo_retention.core import labels
from argo_retention.core.ledger import Pause
from argo_retention.errors import ClusterError, DatabaseError
from argo_retention.operations import collecting, expiring
from argo_retention.operations.pausing import pause_now
from argo_retention_tests.operations.at_work import NOW, AtWork
from argo_retention_tests.operations.collecting_world import deletes, ledger, work_with
from argo_retention_tests.operations.test_undoing import expired_work


def pause(work: AtWork, **given: object) -> None:
    work.archive.pause(
        Pause(
            clustername="default",
            instanceid="",
            because="an incident",
            by_whom="jo",
            **{"until": None, **given},  # type: ignore[arg-type]
        )
    )


def annotate(work: AtWork) -> None:
    def change(found: dict[str, object]) -> None:
        found["metadata"]["annotations"] = {labels.PAUSE: "we move"}  # type: ignore[index]

    work.cluster.change("ConfigMap", "argo", "config", change)


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (pause, "paused by jo since 2026-06-15 12:00Z, until it is resumed: an incident"),
        (
            annotate,
            "paused by annotation argo-retention.io/pause of ConfigMap argo/config: we move",
        ),
        (
            lambda work: work.cluster.remove("ConfigMap", "argo", "config"),
            "ConfigMap argo/config is gone, so whether somebody paused cannot be told",
        ),
    ],
    ids=["command", "annotation", "nobody can tell"],
)
def test_p2_nothing_goes_while_somebody_paused(act: object, expected: str) -> None:
    work, past = work_with("one"), expired_work()
    for each in (work, past):
        act(each)  # type: ignore[operator]

    collected, expired = work.collected(), past.expired()

    assert (collected.paused, collected.applied) == (expected, False)
    assert collected.outcomes == {"paused": 1}
    assert (expired.paused, expired.units_done) == (expected, 0)
    assert deletes(work) == 0
    assert len(past.row_uids()) == 2


def test_p2_a_pause_in_the_middle_stops_before_the_next_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "BATCH", 1)
    monkeypatch.setattr(collecting, "BATCHES_AT_ONCE", 1)
    work = work_with("one", "two", "three")
    work.cluster.before("delete_workflow", lambda _: pause(work))

    done = work.collected()

    assert done.outcomes == {"deleted": 1, "paused": 2}
    assert "an incident" in done.paused
    assert sorted(ledger(work).values())[1].startswith("paused: paused by jo")
    assert len(work.names()) == 2


def test_p2_a_pause_in_the_middle_of_expiry_leaves_the_rest_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(expiring, "BATCH", 1)
    monkeypatch.setattr(expiring, "BATCHES_AT_ONCE", 1)
    work = expired_work()
    work.archive.before("expire_rows", lambda _: pause(work))

    done = work.expired()

    assert done.units_done == 1
    assert "an incident" in done.paused
    work.archive.resume(clustername="default", instanceid="")
    work.next_run()
    work.expiry_planned()
    assert work.expired().units_done == 1


def test_a_pause_ends_by_its_time() -> None:
    work = work_with("one")
    pause(work, until=NOW + timedelta(hours=1))
    assert "until 2026-06-15 13:00Z: an incident" in pause_now(work.site)

    work.at(NOW + timedelta(hours=2))

    assert pause_now(work.site) == ""


@pytest.mark.parametrize(
    ("part", "method", "error"),
    [
        ("archive", "pause_of", DatabaseError("gone")),
        ("cluster", "get_object", ClusterError("gone")),
    ],
)
def test_p2_who_cannot_ask_does_not_delete(part: str, method: str, error: Exception) -> None:
    work = work_with("one")
    getattr(work, part).fail(method, error)

    with pytest.raises(type(error)):
        work.collected()

    assert deletes(work) == 0


def audited(work: AtWork) -> list[dict[str, object]]:
    return [
        json.loads(line)
        for path, body in sorted(work.tables.small.items())
        if path.startswith("audit/prod/")
        for line in gzip.decompress(body).splitlines()
    ]


def test_p6_each_deletion_has_a_line_in_the_audit() -> None:
    work = work_with("one", "two")

    work.collected()

    lines = audited(work)
    assert {(line["name"], line["outcome"]) for line in lines} == {
        ("one", "deleted"),
        ("two", "deleted"),
    }
    assert all(str(line["at"]).startswith("2026-06-15T12:00:00") for line in lines)
    assert all(line["reason"] and line["by_whom"] == work.site.by_whom for line in lines)


def test_p6_each_expired_unit_has_a_line_in_the_audit() -> None:
    work = expired_work()

    work.expired()

    assert {(line["name"], line["stage"]) for line in audited(work)} == {
        ("one", "going"),
        ("two", "going"),
    }


def test_the_audit_is_only_added_to() -> None:
    work = work_with("one")
    work.collected()
    before = dict(work.tables.small)
    work.run("two", log=None)
    work.planned()

    work.collected()

    for path, body in before.items():
        if path.startswith("audit/"):
            assert work.tables.small[path] == body
    assert len(audited(work)) == 2
