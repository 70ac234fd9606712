"""Memory, connections and files of the processes of a soak, sampled by a thread."""

import contextlib
import threading
import time
from collections import defaultdict
from statistics import linear_regression

import psutil

from argo_retention_tests.soak.installation import Installation

EVERY = 5.0
#: A series that is shorter says nothing of a slope.
LEAST_SECONDS = 120.0
#: The first part of a process's life is caches that fill.
SETTLED = 1 / 3


class Samples:
    """Resident memory and open files by process, from start to stop."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
        #: (role, pid) → (seconds, MB, open files)
        self.series: dict[tuple[str, int], list[tuple[float, float, int]]] = defaultdict(list)
        #: Of each run: when it was first seen, and the most memory that it had.
        self.runs: dict[int, tuple[float, float]] = {}

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        begun = time.monotonic()
        while not self._stop.wait(EVERY):
            now = time.monotonic() - begun
            for role, process in self._processes():
                with contextlib.suppress(psutil.Error):
                    megabytes = process.memory_info().rss / 2**20
                    if role == "run":
                        first, most = self.runs.get(process.pid, (now, 0.0))
                        self.runs[process.pid] = (first, max(most, megabytes))
                    else:
                        sample = (now, megabytes, process.num_fds())
                        self.series[role, process.pid].append(sample)

    def _processes(self) -> list[tuple[str, psutil.Process]]:
        installation = self._installation
        found = [("run", each) for each in installation.run_workers()]
        found += [("code server", each) for each in installation.code_servers()]
        for name, process in list(installation.processes.items()):
            with contextlib.suppress(psutil.Error):
                found.append((name, psutil.Process(process.pid)))
        pid = installation.servers.clusters["soak"].process.pid
        if pid is not None:
            found.append(("emulated API", psutil.Process(pid)))
        return found

    def slopes(self) -> list[tuple[str, int, float, float, float, int, int]]:
        """Role, pid, seconds watched, MB at the end, MB an hour, open files at a third and at the end."""
        told = []
        for (role, pid), samples in sorted(self.series.items()):
            settled = samples[int(len(samples) * SETTLED) :]
            if settled[-1][0] - samples[0][0] < LEAST_SECONDS or len(settled) < 3:
                continue
            slope, _ = linear_regression([s[0] for s in settled], [s[1] for s in settled])
            told.append(
                (
                    role,
                    pid,
                    samples[-1][0] - samples[0][0],
                    samples[-1][1],
                    slope * 3600,
                    settled[0][2],
                    settled[-1][2],
                )
            )
        return told

    def runs_at_both_ends(self) -> tuple[float, float]:
        """The most memory of a run in the first and in the last third of all runs, MB."""
        ordered = [most for _, most in sorted(self.runs.values())]
        third = max(len(ordered) // 3, 1)
        return max(ordered[:third], default=0.0), max(ordered[-third:], default=0.0)
