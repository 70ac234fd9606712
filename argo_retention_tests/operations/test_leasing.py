"""The lease of a run: kept alive while it works, given back at its end, lost without a sound until a write."""

import threading

import pytest

from argo_retention.core.ledger import LeaseGrant
from argo_retention.errors import DatabaseError, LeaseHeldError, LeaseLostError
from argo_retention.operations.leasing import held_lease, leased
from argo_retention_tests.fakes.archive import FakeArchive
from argo_retention_tests.operations.at_work import AtWork


def lease(archive: FakeArchive, run: str = "run-1", *, heartbeat_seconds: float = 60):  # type: ignore[no-untyped-def]
    return held_lease(
        archive,
        clustername="default",
        instanceid="",
        root_run=run,
        host="host",
        is_finished=lambda _: False,
        heartbeat_seconds=heartbeat_seconds,
    )


def holder(archive: FakeArchive) -> object:
    return archive.lease_holder(clustername="default", instanceid="")


def test_p7_a_second_run_is_refused_while_the_first_works() -> None:
    archive = FakeArchive()

    with lease(archive):
        with pytest.raises(LeaseHeldError, match="run-1"), lease(archive, "run-2"):
            pass
        assert isinstance(holder(archive), dict)

    with lease(archive, "run-2") as grant:
        assert isinstance(grant, LeaseGrant)


def test_it_is_given_back_when_the_run_fails() -> None:
    archive = FakeArchive()

    with pytest.raises(RuntimeError), lease(archive):
        raise RuntimeError("the run failed")

    assert holder(archive) is None


def beats(archive: FakeArchive, count: int) -> threading.Event:
    """Set at the beat with this number."""
    reached = threading.Event()

    def look(_: object) -> None:
        if len(archive.calls_of("heartbeat")) >= count:
            reached.set()

    archive.before("heartbeat", look, times=None)
    return reached


def test_it_beats_on_when_the_database_was_away_for_a_moment() -> None:
    archive = FakeArchive()
    archive.fail("heartbeat", DatabaseError("connection lost"), times=2)
    third = beats(archive, 3)

    with lease(archive, heartbeat_seconds=0.001):
        assert third.wait(10)


def test_p7_once_it_was_taken_over_it_beats_no_more_and_gives_nothing_back() -> None:
    archive = FakeArchive()
    first = beats(archive, 1)
    archive.fail("heartbeat", LeaseLostError("taken over"))

    with lease(archive, heartbeat_seconds=0.001):
        assert first.wait(10)
        for thread in threading.enumerate():
            if thread.name == "lease":
                thread.join(10)

    assert len(archive.calls_of("heartbeat")) == 1


def test_p7_a_site_is_leased_for_its_root_run_after_our_tables_were_made() -> None:
    work = AtWork()

    with leased(work.site, host="host", is_finished=lambda _: False) as grant:
        assert grant.root_run == work.site.root_run
        assert [call.method for call in work.archive.calls][:2] == ["migrate", "acquire_lease"]

    assert holder(work.archive) is None
