import signal
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import FrameType

import pytest

from argo_retention.errors import DatabaseError
from argo_retention.operations.waiting import result_of


class Stopped(BaseException):
    """What the handler raises, as Dagster's does."""


@pytest.fixture
def stopping() -> Iterator[None]:
    def stop(_number: int, _frame: FrameType | None) -> None:
        raise Stopped

    before = signal.signal(signal.SIGUSR1, stop)
    yield
    signal.signal(signal.SIGUSR1, before)


def test_a_result_is_given_and_an_error_raised() -> None:
    done, failed = Future[int](), Future[int]()
    done.set_result(7)
    failed.set_exception(DatabaseError("connection lost"))

    assert result_of(done) == 7
    with pytest.raises(DatabaseError, match="connection lost"):
        result_of(failed)


@pytest.mark.usefixtures("stopping")
def test_p7_a_signal_that_another_thread_got_is_heeded_while_the_main_thread_waits() -> None:
    """The future has five seconds to end by itself: without waking, it would have by then."""
    begun, end = threading.Event(), threading.Event()

    def work() -> None:
        begun.wait()
        # The main thread waits for its lock by then, and this does not wake it.
        end.wait(0.2)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
        end.wait(5)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        try:
            begun.set()
            with pytest.raises(Stopped):
                result_of(future)
            was_done = future.done()
        finally:
            end.set()

    assert not was_done
