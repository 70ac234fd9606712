"""What goes wrong during a soak, at random: the wire, the servers, and the processes of Dagster."""

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import psutil

from argo_retention_tests.soak.installation import Installation
from argo_retention_tests.wire.http_wire import HttpFault
from argo_retention_tests.wire.tcp_wire import TcpFault

API = (
    ("GET", r"/workflows\?"),
    ("GET", r"/pods/[^/]+/log"),
    ("DELETE", "/workflows/"),
    ("PATCH", "/workflows/"),
    ("GET", "/configmaps"),
)
S3 = (("PUT", ""), ("HEAD", ""), ("GET", ""), ("DELETE", ""))
KINDS = ("reset", "cut_request", "lose_answer", "cut_answer", "reset_answer", "stall", "slow")
LATE = {"stall", "slow"}
STATUSES = (408, 429, 500, 503, 504)
TRIGGERS = (b"COPY ", b"INSERT INTO", b"COMMIT", b"DELETE FROM", b"SELECT ", b"UPDATE ")
#: Seconds between two troubles.
EVERY = (15.0, 35.0)
#: Faults that wait on one wire to be met.
WAITING = 3


class Troubles:
    """A thread that makes one trouble after the other until it is stopped."""

    def __init__(self, installation: Installation, *, kill_every: float) -> None:
        """A process of Dagster, or all sessions of the archive, are killed every so many seconds."""
        self._installation = installation
        self._chance = random.Random("troubles")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="troubles", daemon=True)
        self._kill_every = kill_every
        self.done: Counter[str] = Counter()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The network is good again, and every process runs."""
        self._stop.set()
        self._thread.join()
        for wire in (self._installation.api, self._installation.s3, self._installation.database):
            wire.mend()
        self._installation.keep_services_running()

    @property
    def met(self) -> Counter[str]:
        """Faults of the wires that met a request, by kind."""
        wires = (self._installation.api, self._installation.s3, self._installation.database)
        return Counter(each.split(" ")[0] for wire in wires for each in wire.done)

    def _run(self) -> None:
        kills: list[Callable[[], str]] = [
            self._kill_run,
            self._kill_code_server,
            self._kill_run,
            self._kill_daemon,
            self._kill_sessions,
            self._kill_webserver,
        ]
        last_kill = time.monotonic()
        number = 0
        while not self._stop.wait(self._chance.uniform(*EVERY)):
            self._installation.keep_services_running()
            if time.monotonic() - last_kill > self._kill_every:
                last_kill = time.monotonic()
                self.done[kills[number % len(kills)]()] += 1
                number += 1
            else:
                self._spoil_the_wire()

    # -- wires --------------------------------------------------------------------------------------------

    def _spoil_the_wire(self) -> None:
        installation = self._installation
        for wire in (installation.api, installation.s3, installation.database):
            wire.forget_the_oldest(WAITING)
        which = self._chance.choice(("api", "api", "s3", "database"))
        self.done[f"faults put on the wire to {which}"] += 1
        if which == "database":
            installation.database.faults.append(
                TcpFault(
                    kind=self._chance.choice(("cut", "reset", "stall", "refuse")),
                    trigger=self._chance.choice(TRIGGERS),
                    of_server=False,
                    skip=self._chance.choice((0, 3, 10)),
                    after_bytes=self._chance.choice((0, 100, 5000)),
                    seconds=5,
                )
            )
            return
        wire = installation.api if which == "api" else installation.s3
        method, path = self._chance.choice(API if which == "api" else S3)
        is_status = self._chance.random() < 0.5
        kind = "status" if is_status else self._chance.choice(KINDS)
        wire.faults.append(
            HttpFault(
                kind=kind,
                status=self._chance.choice(STATUSES) if is_status else 0,
                retry_after=self._chance.choice((None, 1)),
                method=method,
                path=path,
                skip=self._chance.choice((0, 5, 50)),
                # One page of a list at 10 KB/s takes two minutes.
                times=1 if kind in LATE else self._chance.choice((1, 2, 3, 8)),
                seconds=5,
            )
        )

    # -- processes ----------------------------------------------------------------------------------------

    def _kill_run(self) -> str:
        runs = self._installation.run_workers()
        if not runs:
            return "no run was there to be killed"
        os.kill(self._chance.choice(runs).pid, signal.SIGKILL)
        return "run killed"

    def _kill_code_server(self) -> str:
        servers = self._installation.code_servers()
        if not servers:
            return "no code server was there to be killed"
        for each in servers:
            os.kill(each.pid, signal.SIGKILL)
        return "code servers killed"

    def _kill_daemon(self) -> str:
        self._installation.kill("daemon")
        return "daemon killed"

    def _kill_webserver(self) -> str:
        self._installation.kill("webserver")
        return "webserver killed"

    def _kill_sessions(self) -> str:
        """SIGKILL to one session of ours: PostgreSQL ends all sessions and replays its log."""
        for process in psutil.process_iter():
            try:
                line = " ".join(process.cmdline())
            except psutil.Error:
                continue
            if line.startswith("postgres:") and " argo " in line and self._is_ours(process):
                os.kill(process.pid, signal.SIGKILL)
                return "PostgreSQL crashed"
        return "no session of PostgreSQL was there to be killed"

    def _is_ours(self, process: psutil.Process) -> bool:
        guardian = self._installation.servers.postgres.pid
        try:
            return any(parent.pid == guardian for parent in process.parents())
        except psutil.Error:
            return False
