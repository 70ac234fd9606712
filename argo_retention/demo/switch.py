"""A door in front of a server that can be shut: from then on every connection is answered 503 and closed."""

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"Retry-After: 1\r\n\r\n"
)


class Switch:
    """Forwards TCP from a free loopback port to a server until `shut` is called."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on loopback."""
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._is_shut = threading.Event()
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Begin to forward."""
        threading.Thread(target=self._accept, name="switch", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the port and what is open."""
        self._listener.close()
        self._drop()

    def shut(self) -> None:
        """Cut what is open and refuse from now on."""
        self._is_shut.set()
        self._drop()

    def _drop(self) -> None:
        with self._lock:
            connections, self._open = self._open, set()
        for connection in connections:
            _close(connection)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        if self._is_shut.is_set():
            self._refuse(client)
            return
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _close(client)
            return
        with self._lock:
            self._open |= {client, server}
        threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
        self._pump(client, server)

    def _refuse(self, client: socket.socket) -> None:
        """Read what the client asks first, or it would see a reset instead of the answer."""
        with suppress(OSError):  # it went by itself
            client.settimeout(2)
            client.recv(65536)
            client.sendall(REFUSAL)
        _close(client)

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # one side was closed; both are closed below
            while data := source.recv(65536):
                target.sendall(data)
        with self._lock:
            self._open -= {source, target}
        _close(source)
        _close(target)


def _close(connection: socket.socket) -> None:
    with suppress(OSError):  # not connected any more
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
