"""The pipeline of the archive step: a few batches at once, never more, and the first failure stops all."""

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext

import pytest

from argo_retention.errors import DatabaseError
from argo_retention.operations import archiving
from argo_retention.operations.archiving import BATCHES_AT_ONCE, in_batches, pipeline
from argo_retention.operations.garbage import GARBAGE_OBJECTS


def bodies(count: int) -> Iterator[bytes]:
    return (str(number).encode() for number in range(count))


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (2, [2]), (3, [3]), (7, [3, 3, 1])])
def test_every_object_is_in_one_batch(
    count: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archiving, "BATCH", 3)

    batches = list(in_batches(bodies(count)))

    assert [len(batch) for batch in batches] == sizes
    assert [body for batch in batches for body in batch] == list(bodies(count))


def test_memory_is_bounded_by_a_few_batches_however_many_there_are() -> None:
    lock = threading.Lock()
    fetched = done = most = 0

    def batches() -> Iterator[Sequence[bytes]]:
        nonlocal fetched, most
        for body in bodies(100):
            with lock:
                fetched += 1
                most = max(most, fetched - done)
            yield [body]

    def work(_: Sequence[bytes]) -> None:
        nonlocal done
        with lock:
            done += 1

    pipeline(batches(), work)

    assert done == 100
    # Those at work, one that waits for a thread, one that waits for room.
    assert most <= BATCHES_AT_ONCE + 2


def test_p1_the_first_failure_of_a_batch_stops_the_list() -> None:
    fetched = 0

    def batches() -> Iterator[Sequence[bytes]]:
        nonlocal fetched
        for body in bodies(100):
            fetched += 1
            yield [body]

    def work(_: Sequence[bytes]) -> None:
        raise DatabaseError("connection lost")

    with pytest.raises(DatabaseError, match="connection lost"):
        pipeline(batches(), work)

    assert fetched <= BATCHES_AT_ONCE + 2


def test_p1_the_failure_of_the_last_batch_is_not_overlooked() -> None:
    def work(batch: Sequence[bytes]) -> None:
        if batch == [b"2"]:
            raise DatabaseError("connection lost")

    with pytest.raises(DatabaseError):
        pipeline(([body] for body in bodies(3)), work)


def test_what_was_begun_when_the_list_fails_is_finished_first() -> None:
    """Its rows are committed or not by the time that the step ends; no thread goes on behind it."""
    begun, ended = threading.Event(), threading.Event()
    done: list[bytes] = []

    def batches() -> Iterator[Sequence[bytes]]:
        yield [b"one"]
        begun.wait()
        ended.set()
        raise DatabaseError("the list failed")

    def work(batch: Sequence[bytes]) -> None:
        begun.set()
        ended.wait()
        done.extend(batch)

    with pytest.raises(DatabaseError, match="the list failed"):
        pipeline(batches(), work)

    assert done == [b"one"]


@pytest.mark.parametrize("fails", [False, True])
def test_how_often_garbage_is_collected_is_put_back(fails: bool) -> None:
    before, given = gc.get_threshold(), (701, 11, 12)
    during: list[int] = []

    def work(_: Sequence[bytes]) -> None:
        during.append(gc.get_threshold()[0])
        if fails:
            raise DatabaseError("connection lost")

    gc.set_threshold(*given)
    try:
        with pytest.raises(DatabaseError) if fails else nullcontext():
            pipeline(iter([[b"one"]]), work)
        after = gc.get_threshold()
    finally:
        gc.set_threshold(*before)

    assert during == [GARBAGE_OBJECTS]
    assert after == given
