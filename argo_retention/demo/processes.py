"""What the demo's servers share: free ports, a child that never outlives its parent, waiting, stopping."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from argo_retention.demo import guardian
from argo_retention.errors import ArgoRetentionError

LOOPBACK = "127.0.0.1"
LAST_LOG_LINES = 15
#: What PostgreSQL and SeaweedFS write when a port is taken.
PORT_TAKEN = ("address already in use", f"is not available on {LOOPBACK}")
POLL_SECONDS = 0.02


class ServerStartError(ArgoRetentionError):
    """A server of the demo did not start."""


class PortTakenError(ServerStartError):
    """Another process took the port between choosing and binding it; another port will do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The unprivileged user that a server runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """How to run one server."""

    name: str
    #: Run one after the other; the last one is the server.
    commands: Sequence[Sequence[str]]
    #: Working directory, removed when the server has ended.
    folder: Path
    log_path: Path
    environment: Mapping[str, str]
    stop_signal: signal.Signals
    account: Account | None = None
    #: Files outside the folder that the server leaves when it is killed.
    remove: Sequence[Path] = ()
    grace_seconds: float = 10


def free_ports(count: int) -> list[int]:
    """Distinct ports on loopback that were free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def is_free(port: int) -> bool:
    """Whether the port on loopback can be bound now."""
    with socket.socket() as probe:
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def new_secret() -> str:
    """A password that needs no escaping in a URL or in a file."""
    return secrets.token_hex(16)


class GuardedProcess:
    """A server under a guardian, which stops it and removes its files when this process ends in any way."""

    def __init__(self, launch: Launch) -> None:
        """Starts the guardian, which starts the commands."""
        self._launch = launch
        account = launch.account
        spec = {
            "commands": [list(command) for command in launch.commands],
            "folder": str(launch.folder),
            "user": account.uid if account else None,
            "group": account.gid if account else None,
            "stop_signal": int(launch.stop_signal),
            "grace_seconds": launch.grace_seconds,
            "remove": [str(path) for path in launch.remove],
            "parent": os.getpid(),
        }
        with launch.log_path.open("ab") as log:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-S", guardian.__file__, json.dumps(spec)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=dict(launch.environment),
                # Ctrl-C reaches the parent alone, which then stops its servers in order.
                start_new_session=True,
            )
            self._log = launch.log_path.open("rb")

    @property
    def pid(self) -> int:
        """The guardian's process id."""
        return self._guardian.pid

    def is_running(self) -> bool:
        """Whether the server, or its guardian's cleaning up, has not ended yet."""
        return self._guardian.poll() is None

    def wait_until_ready(self, is_ready: Callable[[], bool], *, timeout: float) -> None:
        """Returns when `is_ready` says so.

        Raises:
            PortTakenError: The server ended because its port was taken.
            ServerStartError: The server ended, or the time is over; the server is stopped.
        """
        deadline = time.monotonic() + timeout
        while not is_ready():
            if not self.is_running():
                self._refuse("ended while it was starting")
            if time.monotonic() > deadline:
                self._refuse(f"was not ready after {timeout:g} seconds")
            time.sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Stops the server and removes its files; returns when both is done. Does nothing the second time."""
        if self._guardian.stdin is not None:
            self._guardian.stdin.close()
        self._guardian.wait()
        self._log.close()

    def _refuse(self, what: str) -> None:
        # The log is read through a handle, because the guardian has removed the file by now.
        log = self._log.read().decode(errors="replace")
        lines = log.splitlines()[-LAST_LOG_LINES:]
        self.stop()
        # In the whole log: SeaweedFS says it above the stacks of all its goroutines.
        taken = any(mark in log.lower() for mark in PORT_TAKEN)
        error = PortTakenError if taken else ServerStartError
        raise error("\n".join([f"{self._launch.name} {what}. The end of its log:", *lines]))


class Server(ABC):
    """A server that is started and stopped as a context manager, on another port where one was taken.

    Subclasses say how it is launched and when it is ready.
    """

    attempts = 5
    start_timeout = 60.0

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._process: GuardedProcess | None = None

    @abstractmethod
    def launch(self) -> Launch:
        """A new folder and new ports, and how to run the server there."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether a client is served."""

    def start(self) -> Self:
        """Starts the server and returns when clients are served; does nothing if it runs."""
        for attempt in range(1, self.attempts + 1):
            if self._process is not None:
                break
            process = GuardedProcess(self.launch())
            try:
                process.wait_until_ready(self.is_ready, timeout=self.start_timeout)
            except PortTakenError:
                if attempt == self.attempts:
                    raise
            except BaseException:
                process.stop()
                raise
            else:
                self._process = process
        return self

    def stop(self) -> None:
        """Stops the server and removes everything that it made; does nothing if it does not run."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def is_running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._process is not None and self._process.is_running()

    @property
    def pid(self) -> int | None:
        """Id of the process that ends when the server has ended and its files are removed."""
        return None if self._process is None else self._process.pid

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
