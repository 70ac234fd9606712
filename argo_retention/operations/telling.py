"""What a run says of itself while it works: how far a stage is, now and then, for whoever reads its log."""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from argo_retention.operations.site import Progress

#: Batches end more often than anybody reads, and each line is a row in Dagster's event log.
EVERY_SECONDS = 5.0


def telling(
    log: logging.Logger, progress: Progress, *, now: Callable[[], float] = time.monotonic
) -> Progress:
    """A Progress that also writes to the log: what was done at the end of a batch, with its rate.

    At most one line of a stage in EVERY_SECONDS; a stage that is shorter says nothing, its end is told by
    whoever has its figures. A log that fails stops no work.
    """
    lock = threading.Lock()
    begun: dict[str, tuple[float, int]] = {}
    told_at: dict[str, float] = {}

    def tell(stage: str, done: int, total: int | None) -> None:
        progress(stage, done, total)
        at = now()
        with lock:
            since, before = begun.setdefault(stage, (at, done))
            if at - told_at.get(stage, since) < EVERY_SECONDS:
                return
            told_at[stage] = at
        rate = (done - before) / (at - since)
        whole = "" if total is None or total <= done else f" of {total:,}"
        with suppress(Exception):
            log.info("%s: %s%s, %s a second", stage, f"{done:,}", whole, f"{rate:,.0f}")

    return tell
