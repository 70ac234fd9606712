"""Trying again what is known to be transient. Names no client: each adapter says what is transient."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from argo_retention.errors import ArgoRetentionError

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long to wait; every wait is bounded, and so is their number."""

    attempts: int = 5
    first_pause: float = 0.2  # seconds; doubles from one attempt to the next
    longest_pause: float = 10.0  # also where a server asks for more
    sleep: Callable[[float], None] = time.sleep

    def retry(
        self,
        call: Callable[[], Value],
        *,
        transient: tuple[type[ArgoRetentionError], ...],
        asked: Callable[[ArgoRetentionError], float] = lambda _: 0.0,
    ) -> Value:
        """The value of the first attempt that does not fail transiently; the last failure is raised.

        `asked` says how many seconds the server wants to be left alone after a failure.
        """
        for attempt in range(self.attempts - 1):
            try:
                return call()
            except transient as error:
                pause = max(self.first_pause * 2**attempt, asked(error))
                self.sleep(min(pause, self.longest_pause))
        return call()
