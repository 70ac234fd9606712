"""Waiting for threads so that a signal is heeded meanwhile."""

from concurrent.futures import Future, wait
from typing import TypeVar

WAKE_EVERY = 1.0  # seconds

Result = TypeVar("Result")


def result_of(future: Future[Result]) -> Result:
    """Wait for this result, or raise its error; the main thread wakes each second meanwhile.

    Python runs the handler of a signal in the main thread, between two of its own steps. A signal that comes
    just before that thread waits for a lock, or that the kernel gives to another thread, would not be heeded
    until the lock is free: with a slow rate of deletions, minutes after somebody stopped the run.
    """
    while not future.done():
        wait([future], timeout=WAKE_EVERY)
    return future.result()
