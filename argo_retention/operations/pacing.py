"""A steady rate for requests from many threads."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Lets `per_second` callers pass each second, evenly spaced, whatever the number of threads."""

    def __init__(
        self, per_second: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Start now; `monotonic` gives seconds."""
        self._interval = 1.0 / per_second
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._next = monotonic()

    def turn(self) -> float:
        """Take a turn; seconds until it comes."""
        with self._lock:
            now = self._monotonic()
            turn = max(self._next, now)
            self._next = turn + self._interval
        return turn - now

    def wait(self, stop: threading.Event) -> bool:
        """Wait for this caller's turn; False when `stop` was set meanwhile."""
        delay = self.turn()
        return not (stop.wait(delay) if delay > 0 else stop.is_set())
