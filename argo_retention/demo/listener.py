"""A free port on loopback, each connection served by a thread, and one that forwards to a server."""

import socket
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Self

PIECE = 64 * 1024


class Listener(ABC):
    """Accepts between `with` and its end."""

    def __init__(self) -> None:
        """The port is taken at once, and nobody is served yet."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @abstractmethod
    def serve(self, client: socket.socket) -> None:
        """One connection, in a thread of its own; it has to close it."""

    def close(self) -> None:
        """Accept no more."""
        self._listener.close()

    def __enter__(self) -> Self:
        """Begin to accept."""
        threading.Thread(target=self._accept, name="listener", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port and what is open."""
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()


class Link:
    """A connection and the one to the server behind it."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        """Both are open."""
        self.client = client
        self.server = server


class Forwarder(Listener):
    """Passes bytes on, both ways; subclasses say what they do to them."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on loopback."""
        super().__init__()
        self._target = ("127.0.0.1", port)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def refuses(self, client: socket.socket) -> bool:  # noqa: ARG002 - for subclasses
        """Whether the connection was dealt with, so that the server does not see it."""
        return False

    def passed(self, data: bytes, link: Link, *, of_server: bool) -> bytes:  # noqa: ARG002
        """What is passed on of these bytes; OSError ends the connection."""
        return data

    def close(self) -> None:
        """Close what is open, too."""
        super().close()
        self.drop()

    def drop(self) -> None:
        """End all connections."""
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            end(connection)

    def serve(self, client: socket.socket) -> None:
        """Forward until one side ends."""
        if self.refuses(client):
            return
        try:
            server = socket.create_connection(self._target)
        except OSError:
            end(client)
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open |= {client, server}
        link = Link(client, server)
        threading.Thread(target=self._pump, args=(link, True), daemon=True).start()
        self._pump(link, of_server=False)

    def _pump(self, link: Link, of_server: bool) -> None:
        source, target = (link.server, link.client) if of_server else (link.client, link.server)
        with suppress(OSError):  # one side was closed; both are closed below
            while data := source.recv(PIECE):
                data = self.passed(data, link, of_server=of_server)
                if data:
                    target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        end(source)
        end(target)


#: SO_LINGER of no seconds: closing sends RST instead of FIN.
AT_ONCE = b"\x01\x00\x00\x00\x00\x00\x00\x00"


def reset(connection: socket.socket) -> None:
    """Let its closing send RST, and wake whoever reads from it; nobody is told yet."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
    with suppress(OSError):  # not connected any more
        connection.shutdown(socket.SHUT_RD)


def end(connection: socket.socket) -> None:
    """Close it, by FIN, or by RST after `reset`."""
    with suppress(OSError):  # not connected any more
        if connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(AT_ONCE)) != AT_ONCE:
            connection.shutdown(socket.SHUT_RDWR)
    connection.close()
