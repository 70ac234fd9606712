"""What a check found, and what mends it."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"  #: it works, but not as most people want it
    FAILED = "failed"  #: a run would be refused, or do less than it should


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Outcome of one check of one cluster."""

    cluster: str  # name in retention.yaml
    check: str
    status: Status
    what: str  # for people; never a secret
    mend: str = ""  # YAML, SQL or policy JSON to be applied by somebody with the right to do so


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Makes the findings of one cluster."""

    cluster: str

    def ok(self, check: str, what: str) -> Finding:
        """All is well."""
        return self._made(check, Status.OK, what, "")

    def warning(self, check: str, what: str, mend: str = "") -> Finding:
        """It works, but."""
        return self._made(check, Status.WARNING, what, mend)

    def failed(self, check: str, what: str | Exception, mend: str = "") -> Finding:
        """It does not work; an error of ours is its own message."""
        return self._made(check, Status.FAILED, str(what), mend)

    def _made(self, check: str, status: Status, what: str, mend: str) -> Finding:
        return Finding(cluster=self.cluster, check=check, status=status, what=what, mend=mend)


def listed(names: list[str], *, most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
