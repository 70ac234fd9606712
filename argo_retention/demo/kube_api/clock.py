"""The server's clock, which tests may set wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime


class Clock:
    """Wall-clock time plus an offset, and the Date header of the current second."""

    def __init__(self, wall: Callable[[], datetime] | None = None) -> None:
        """Make one that follows the machine's clock, or another one that is given."""
        self._wall = wall or (lambda: datetime.now(tz=UTC))
        self.offset = timedelta()
        self._second = 0
        self._header = b""

    def now(self) -> datetime:
        """The time as the server believes it."""
        return self._wall() + self.offset

    def timestamp(self) -> str:
        """The time as Kubernetes writes it into metadata."""
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def date_header(self) -> bytes:
        """The value of the Date header; rendered once a second."""
        now = self.now()
        second = int(now.timestamp())
        if second != self._second:
            self._second = second
            self._header = format_datetime(now, usegmt=True).encode()
        return self._header
