"""A small pooler in transaction mode, as PgBouncer works: each transaction goes to whichever session is free.

What one client sets for a session stays there for another; what it prepared is not there the next time.
"""

import os
import random
import select
import socket
import struct
import threading
from contextlib import suppress

from psycopg.pq import PGconn

from argo_retention.demo.listener import Listener

SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
QUIET_SECONDS = 0.005
TOLD = {
    "server_version": "17.0",
    "server_encoding": "UTF8",
    "client_encoding": "UTF8",
    "standard_conforming_strings": "on",
    "integer_datetimes": "on",
    "DateStyle": "ISO, MDY",
    "TimeZone": "Etc/UTC",
}


class _Session:
    """One authenticated connection to the server, as bytes."""

    def __init__(self, dsn: str) -> None:
        self.connection = PGconn.connect(dsn.encode())
        assert self.connection.status == 0, self.connection.error_message
        self.socket = socket.socket(fileno=os.dup(self.connection.socket))
        self.socket.setblocking(True)

    def close(self) -> None:
        self.socket.close()
        self.connection.finish()


class Pooler(Listener):
    """Clients of a free port share `sessions` sessions of a server; any password will do."""

    def __init__(self, dsn: str, *, sessions: int = 6) -> None:
        super().__init__()
        self._free = [_Session(dsn) for _ in range(sessions)]
        self._all = list(self._free)
        self._condition = threading.Condition()
        self.transactions = 0
        self.changes = 0  # how often a client met another session than the last time

    def close(self) -> None:
        super().close()
        for each in self._all:
            each.close()

    def serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError, ValueError), client:  # ValueError: closed under us
            self._welcome(client)
            last = None
            while True:
                first = client.recv(65536)
                if not first or first[:1] == b"X":
                    return
                session = self._take()
                self.transactions += 1
                self.changes += last is not None and last is not session
                last = session
                try:
                    self._transaction(client, session, first)
                finally:
                    self._give_back(session)

    def _welcome(self, client: socket.socket) -> None:
        while True:
            (length,) = struct.unpack("!I", _exactly(client, 4))
            rest = _exactly(client, length - 4)
            (code,) = struct.unpack("!I", rest[:4])
            if code not in {SSL_REQUEST, GSS_REQUEST}:
                break
            client.sendall(b"N")
        answer = _message(b"R", struct.pack("!I", 0))
        for name, value in TOLD.items():
            answer += _message(b"S", f"{name}\0{value}\0".encode())
        answer += _message(b"K", struct.pack("!II", random.randrange(1, 2**31), 1))
        client.sendall(answer + _message(b"Z", b"I"))

    def _take(self) -> _Session:
        with self._condition:
            while not self._free:
                self._condition.wait()
            return self._free.pop(random.randrange(len(self._free)))

    def _give_back(self, session: _Session) -> None:
        with self._condition:
            self._free.append(session)
            self._condition.notify()

    def _transaction(self, client: socket.socket, session: _Session, first: bytes) -> None:
        """Until the server is idle and nobody has anything more to say."""
        session.socket.sendall(first)
        told = b""
        is_idle = False
        while True:
            readable, _, _ = select.select(
                [client, session.socket], [], [], QUIET_SECONDS if is_idle else 60
            )
            if not readable:
                return
            if session.socket in readable:
                data = session.socket.recv(65536)
                if not data:
                    raise EOFError
                client.sendall(data)
                told, is_idle = _read(told + data, is_idle)
            if client in readable:
                data = client.recv(65536)
                if not data or (is_idle and data[:1] == b"X"):
                    if not is_idle:
                        session.socket.shutdown(socket.SHUT_RDWR)  # in the middle of a transaction
                    raise EOFError
                session.socket.sendall(data)
                is_idle = False


def _read(told: bytes, is_idle: bool) -> tuple[bytes, bool]:
    """What is left of the server's messages, and whether the last whole one says that it is idle."""
    while len(told) >= 5:
        (length,) = struct.unpack("!I", told[1:5])
        if len(told) < length + 1:
            break
        is_idle = told[:1] == b"Z" and told[5:6] == b"I"
        told = told[length + 1 :]
    return told, is_idle and not told


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
