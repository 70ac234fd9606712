"""What both wires share: faults that wait to be met, those that were, and waiting that ends when all is mended."""

import threading
import time
from typing import Generic, TypeVar

Fault = TypeVar("Fault")


class Spoilt(Generic[Fault]):
    """A list of faults that may be changed at any time, from any thread."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.done: list[str] = []  # of the faults that were met
        self.lock = threading.Lock()
        self.over = threading.Event()

    def mend(self) -> None:
        """No more faults; silent connections end."""
        with self.lock:
            self.faults = []
        self.over.set()
        self.over = threading.Event()

    def forget_the_oldest(self, left: int) -> None:
        """Only so many faults still wait to be met."""
        with self.lock:
            self.faults = self.faults[-left:]

    def wait(self, seconds: float) -> None:
        """For so long, or until it is mended."""
        over = self.over
        end = time.monotonic() + seconds
        while not over.is_set() and time.monotonic() < end:
            over.wait(min(1.0, end - time.monotonic()))
