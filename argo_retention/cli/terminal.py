"""Where commands print, also while Dagster redirects stdout and stderr into its compute logs."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

PLAIN_LINE_EVERY_SECONDS = 5.0


def own_console(*, stderr: bool = False) -> Console:
    """A console on a copy of the file descriptor, which a later redirection does not reach."""
    stream = sys.stderr if stderr else sys.stdout
    try:
        descriptor = os.dup(stream.fileno())
    except (OSError, ValueError):  # a stream without a descriptor, as in tests
        return Console(file=stream, highlight=False)
    copy: TextIO = os.fdopen(descriptor, "w", buffering=1, encoding="utf-8", errors="replace")
    return Console(file=copy, highlight=False, soft_wrap=not copy.isatty())


class StageProgress:
    """Shows (stage, done, total) of the operations: bars with rate on a terminal, plain lines otherwise."""

    def __init__(self, console: Console, label: str) -> None:
        """`label` stands in front of each stage, e.g. the cluster's name."""
        self._console = console
        self._label = label
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._said: dict[str, float] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars: Progress | None = None

    @contextmanager
    def shown(self) -> Iterator["StageProgress"]:
        """While inside, stages are drawn."""
        if not self._console.is_terminal:
            yield self
            return
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        with self._bars:
            yield self
        self._bars = None

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Called by operations, from any thread."""
        with self._lock:
            now = time.monotonic()
            started = self._started.setdefault(stage, now)
            rate = f"{done / (now - started):,.0f}/s" if now - started > 0.5 and done else ""
            if self._bars is not None:
                self._draw(stage, done, total, rate)
            elif done == total or now - self._said.get(stage, started) >= PLAIN_LINE_EVERY_SECONDS:
                self._said[stage] = now
                self._say(stage, done, total, rate, now - started)

    def _draw(self, stage: str, done: int, total: int | None, rate: str) -> None:
        if self._bars is None:
            return
        if stage not in self._tasks:
            name = f"{self._label} {stage}"
            self._tasks[stage] = self._bars.add_task(f"{name:<24}", total=total, rate=rate)
        self._bars.update(self._tasks[stage], completed=done, total=total, rate=rate)

    def _say(self, stage: str, done: int, total: int | None, rate: str, seconds: float) -> None:
        of = f" of {total:,}" if total is not None and total != done else ""
        left = ""
        if total is not None and done and total > done:
            left = f", about {seconds / done * (total - done):.0f} s left"
        speed = f" ({rate}{left})" if rate else ""
        self._console.print(f"{self._label} {stage}: {done:,}{of}{speed}", markup=False)
