"""A small TCP proxy on loopback, for PostgreSQL: cuts, resets, stalls and goes silent where it is told."""

import socket
from contextlib import suppress
from dataclasses import dataclass, field

from argo_retention.demo.listener import Forwarder, Link, end, reset
from argo_retention_tests.wire.wires import Spoilt

LONGEST_SILENCE = 120.0


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


class TcpWire(Spoilt[TcpFault], Forwarder):
    """Forwards TCP from a free port to a server; `faults` may be changed at any time."""

    def __init__(self, port: int) -> None:
        """`port` is the server's, on loopback."""
        Spoilt.__init__(self)
        Forwarder.__init__(self, port)
        #: connection, side, id of the fault → bytes still to pass until it happens
        self._fired: dict[tuple[Link, bool, int], int] = {}
        self._silent: set[Link] = set()

    def close(self) -> None:
        self.mend()
        super().close()

    def refuses(self, client: socket.socket) -> bool:
        with self.lock:
            for fault in self.faults:
                waits = fault.follows and not self.done
                if fault.kind == "refuse" and not waits and fault.done < fault.times:
                    fault.done += 1
                    self.done.append(str(fault))
                    end(client)
                    return True
        return False

    def passed(self, data: bytes, link: Link, *, of_server: bool) -> bytes:
        with self.lock:
            faults = [f for f in self.faults if f.of_server is of_server and f.kind != "refuse"]
            for fault in faults:
                place = (link, of_server, id(fault))
                if place not in self._fired and fault.trigger in data:
                    fault.seen += 1
                    if fault.skip < fault.seen <= fault.skip + fault.times:
                        self._fired[place] = fault.after_bytes + data.index(fault.trigger)
        for fault in faults:
            place = (link, of_server, id(fault))
            left = self._fired.get(place)
            if left is None:
                continue
            if left > len(data):
                self._fired[place] = left - len(data)
                continue
            del self._fired[place]
            with self.lock:
                self.done.append(str(fault))
            self._happens(fault, data[:left], link, of_server=of_server)
        if link in self._silent:
            self.wait(LONGEST_SILENCE)
            raise OSError
        return data

    def _happens(self, fault: TcpFault, before: bytes, link: Link, *, of_server: bool) -> None:
        """A stall lets the bytes pass afterwards; after anything else only those before it have passed."""
        if fault.kind == "stall":
            self.wait(fault.seconds)
            return
        with suppress(OSError):
            (link.client if of_server else link.server).sendall(before)
        if fault.kind == "silence":
            self._silent.add(link)
            return
        if fault.kind == "reset":
            reset(link.client)
            reset(link.server)
        raise OSError
