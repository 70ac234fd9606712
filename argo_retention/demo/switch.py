"""A door in front of a server that can be shut: from then on every connection is answered 503 and closed."""

import socket
import threading
from contextlib import suppress

from argo_retention.demo.listener import Forwarder, end

REFUSAL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n"
    b"Retry-After: 1\r\n\r\n"
)


class Switch(Forwarder):
    """Forwards TCP from a free loopback port to a server until `shut` is called."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on loopback."""
        super().__init__(port)
        self._is_shut = threading.Event()

    def shut(self) -> None:
        """Cut what is open and refuse from now on."""
        self._is_shut.set()
        self.drop()

    def refuses(self, client: socket.socket) -> bool:
        """Once it is shut."""
        if not self._is_shut.is_set():
            return False
        with suppress(OSError):  # it went by itself
            client.settimeout(2)
            client.recv(65536)  # what it asks first, or it would see a reset instead of the answer
            client.sendall(REFUSAL)
        end(client)
        return True
