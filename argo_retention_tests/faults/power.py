"""SIGKILL to a server of the demo and to all of its processes, and its start on what is on its disk."""

import subprocess
import time
from typing import Self

import psutil

from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server

SECONDS = 60.0


class Power:
    """Of one server; its guardian sleeps meanwhile, or it would clean up after it."""

    def __init__(self, server: PostgresServer | S3Server) -> None:
        self._server = server
        self._guardian = psutil.Process(server.pid)
        [self._main] = self._guardian.children()
        self._command = self._main.cmdline()
        self._environment = self._main.environ()
        self._folder = self._main.cwd()
        self._log_path = server.log_path
        self._user, self._group = self._main.uids().real, self._main.gids().real
        self._again: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started again; the guardian does the rest."""
        try:
            if self._again is not None and self._again.poll() is None:
                _kill(psutil.Process(self._again.pid))
                self._again.wait()
        finally:
            self._guardian.resume()

    def cut(self) -> None:
        """Nothing of it gets to do anything any more."""
        self._guardian.suspend()
        _kill(self._main)

    def restore(self, *, leaves: str = "") -> None:
        """Start it again and wait until it serves; `leaves` is a file that would not outlive a real one."""
        if leaves:
            subprocess.run(["rm", "-f", f"{self._folder}/{leaves}"], check=True)
        with self._log_path.open("ab") as log:
            self._again = subprocess.Popen(
                self._command,
                env=self._environment,
                cwd=self._folder,
                user=self._user,
                group=self._group,
                extra_groups=[],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + SECONDS
        while not self._server.is_ready():
            assert self._again.poll() is None, self._log_path.read_text()[-2000:]
            assert time.monotonic() < deadline, "it does not serve"
            time.sleep(0.1)


def _kill(process: psutil.Process) -> None:
    """The parent first, so that it starts no other child."""
    family = [process, *process.children(recursive=True)]
    for each in family:
        each.kill()
    psutil.wait_procs(family[1:], timeout=10)
