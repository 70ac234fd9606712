"""A small TCP proxy on loopback, for PostgreSQL: cuts, resets, stalls and goes silent where it is told."""

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from argo_retention_tests.wire.http_wire import RESET

PIECE = 16 * 1024


@dataclass(kw_only=True)
class TcpFault:
    """What happens when these bytes pass for the nth time, and so many bytes later.

    kind is one of: cut (FIN), reset (RST), stall (late by `seconds`), silence (nothing passes any more in
    either direction of this connection, and nobody is told), refuse (new connections are closed).
    """

    kind: str
    of_server: bool = False  # bytes that come from the server
    trigger: bytes = b""
    skip: int = 0
    after_bytes: int = 0
    seconds: float = 0.0
    times: int = 1
    follows: bool = False  # only once another one was met
    seen: int = field(default=0, init=False)
    done: int = field(default=0, init=False)

    def __str__(self) -> str:
        side = "server" if self.of_server else "client"
        return f"{self.kind} {self.after_bytes} bytes after {self.trigger!r} of the {side}, number {self.skip + 1}"


class TcpWire:
    """Forwards TCP from a free port to a server; `faults` may be changed at any time."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on loopback."""
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.faults: list[TcpFault] = []
        self.done: list[str] = []
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.mend()
        self._listener.close()
        with self._lock:
            left, self._open = self._open, set()
        for each in left:
            _close(each)

    def forget_the_oldest(self, left: int) -> None:
        """Only so many faults still wait to be met."""
        with self._lock:
            self.faults = self.faults[-left:]

    def mend(self) -> None:
        """No more faults; silent connections end."""
        with self._lock:
            self.faults = []
        self.over.set()
        self.over = threading.Event()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._take("refuse"):
                _close(client)
                continue
            try:
                server = socket.create_connection(self._target)
            except OSError:
                _close(client)
                continue
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            quiet = threading.Event()
            for source, sink, of_server in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pump, args=(source, sink, of_server, quiet), daemon=True
                ).start()

    def _take(self, kind: str) -> bool:
        with self._lock:
            for fault in self.faults:
                if fault.follows and not self.done:
                    continue
                if fault.kind == kind and fault.done < fault.times:
                    fault.done += 1
                    self.done.append(str(fault))
                    return True
        return False

    def _pump(
        self, source: socket.socket, sink: socket.socket, of_server: bool, quiet: threading.Event
    ) -> None:
        fired: dict[int, int] = {}  # id of the fault → bytes still to pass
        with suppress(OSError):
            while data := source.recv(PIECE):
                data = self._passed(data, of_server, fired, source, sink, quiet)
                if quiet.is_set():
                    over = self.over
                    over.wait(120)
                    break
                if data:
                    sink.sendall(data)
        with self._lock:
            self._open -= {source, sink}
        _close(source)
        _close(sink)

    def _passed(
        self,
        data: bytes,
        of_server: bool,
        fired: dict[int, int],
        source: socket.socket,
        sink: socket.socket,
        quiet: threading.Event,
    ) -> bytes:
        with self._lock:
            faults = [f for f in self.faults if f.of_server is of_server and f.kind != "refuse"]
            for fault in faults:
                if id(fault) not in fired and fault.trigger in data:
                    fault.seen += 1
                    if fault.skip < fault.seen <= fault.skip + fault.times:
                        fired[id(fault)] = fault.after_bytes + data.index(fault.trigger)
        for fault in faults:
            left = fired.get(id(fault))
            if left is None:
                continue
            if left > len(data):
                fired[id(fault)] = left - len(data)
                continue
            del fired[id(fault)]
            with self._lock:
                self.done.append(str(fault))
            if fault.kind == "stall":
                self._wait(fault.seconds)
                continue
            with suppress(OSError):
                sink.sendall(data[:left])
            if fault.kind == "silence":
                quiet.set()
                return b""
            if fault.kind == "reset":
                for each in (source, sink):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    each.shutdown(socket.SHUT_RD)  # wakes the other thread, and tells nobody
            raise OSError
        return data

    def _wait(self, seconds: float) -> None:
        over = self.over
        end = time.monotonic() + seconds
        while not over.is_set() and time.monotonic() < end:
            over.wait(min(1.0, end - time.monotonic()))


def _close(connection: socket.socket) -> None:
    with suppress(OSError):
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(RESET)) != RESET:
            connection.shutdown(socket.SHUT_RDWR)  # else close sends RST
    connection.close()
