"""What a fake archive keeps: Argo's tables and ours as dicts, with a clock, a fence and row locks."""

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.bindings import Binding, DatabaseIdentity
from argo_retention.core.ledger import (
    Deletion,
    ExpiryUnit,
    Hold,
    LeaseGrant,
    Pause,
    PlanRecord,
    SnapshotRecord,
)
from argo_retention.core.logs import LogRecord, LogReference
from argo_retention.core.ports.archive import Archive
from argo_retention.core.proofs import ProvenVersion
from argo_retention.errors import DatabaseError, LeaseLostError, RowRefusedError
from argo_retention_tests.fakes.faults import Faulty

Key = tuple[str, str]  # clustername, uid


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A proof with what its row was called."""

    instanceid: str
    namespace: str
    name: str
    version: ProvenVersion


@dataclass(slots=True, kw_only=True)
class Lease:
    token: int = 0
    root_run: str = ""
    host: str = ""
    since: datetime
    heartbeat: datetime


def digest_of(workflow: bytes) -> str:
    """Of the parsed JSON, as jsonb keeps neither the order of keys nor spaces."""
    text = json.dumps(json.loads(workflow), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def refuse_as_postgres_does(row: ArchiveRow) -> None:
    """RowRefusedError for what does not fit into the columns."""
    limits = [("name", row.name, 256), ("namespace", row.namespace, 256), ("phase", row.phase, 25)]
    limits += [(f"label {name}", value, 63) for name, value in row.labels.items()]
    for what, value, limit in limits:
        if len(value) > limit:
            raise RowRefusedError(f"value too long for {what}: {limit} characters at most")
    try:
        parsed = json.loads(row.workflow)
    except ValueError as error:
        raise RowRefusedError(f"invalid input syntax for type json: {error}") from error
    if "\\u0000" in json.dumps(parsed).replace("\\\\", ""):
        raise RowRefusedError("unsupported Unicode escape sequence")


class FakeTables(Faulty, Archive):
    """State, clock, fence and locks; the parts of the fake archive extend it."""

    def __init__(self, *, now: datetime | None = None) -> None:
        super().__init__()
        self.fixed_now = now
        self.read_only = False
        self.schema_version: int | None = 68
        self.argo_rows: dict[Key, ArchiveRow] = {}
        self.offloaded: dict[tuple[str, str, str], bytes] = {}
        self.proofs: dict[Key, Proof] = {}
        self.logs: dict[tuple[str, str, str, str], LogRecord] = {}
        self.references_by_row: dict[Key, set[LogReference]] = {}
        self.rows_read: dict[Key, ArchiveRow] = {}
        self.installation = DatabaseIdentity()
        self.bindings: dict[tuple[str, str], Binding] = {}
        self.acceptances: list[tuple[tuple[str, ...], str, str]] = []  # moved, because, by whom
        self.pauses: dict[tuple[str, str], Pause] = {}
        self.held: dict[tuple[str, str, str], Hold] = {}
        self.leases: dict[tuple[str, str], Lease] = {}
        self.deletions: dict[tuple[str, str, str], tuple[str, Deletion]] = {}
        self.units: dict[Key, tuple[str, ExpiryUnit]] = {}
        self.snapshots: dict[tuple[str, str, str], SnapshotRecord] = {}
        self.plans: dict[tuple[str, str, str], PlanRecord] = {}
        self._shared: Counter[Key] = Counter()
        self._lock = threading.RLock()
        self._ticks = 0

    @property
    def now(self) -> datetime:
        """Rises with each look, as a clock does."""
        self._ticks += 1
        return (self.fixed_now or datetime.now(UTC)) + timedelta(microseconds=self._ticks)

    # -- what others do ---------------------------------------------------------------------------------

    def put_row(self, row: ArchiveRow) -> None:
        """As Argo archives: whatever stands there is replaced, nothing is compared."""
        with self._lock:
            self.argo_rows[row.clustername, row.uid] = replace(row)

    def remove_row(self, clustername: str, uid: str) -> None:
        """As Argo's expiry, or a person."""
        with self._lock:
            del self.argo_rows[clustername, uid]

    def offload(self, *, clustername: str, uid: str, version: str, nodes: bytes) -> None:
        self.offloaded[clustername, uid, version] = nodes

    @contextmanager
    def hold_row(self, clustername: str, uid: str) -> Iterator[None]:
        """Another session holds the row."""
        with self._sharing([(clustername, uid)]):
            yield

    # -- for the parts ----------------------------------------------------------------------------------

    @contextmanager
    def _fenced(self, method: str, grant: LeaseGrant, **arguments: Any) -> Iterator[None]:
        self._meet(method, {"grant": grant, **arguments})
        with self._lock:
            if self.read_only:
                raise DatabaseError("the fake database is read-only")
            lease = self.leases.get((grant.clustername, grant.instanceid))
            if lease is None or (lease.token, lease.root_run) != (grant.token, grant.root_run):
                raise LeaseLostError(f"the lease on {grant.clustername!r} was taken over")
            yield

    @contextmanager
    def _sharing(self, keys: Sequence[Key]) -> Iterator[None]:
        with self._lock:
            self._shared.update(keys)
        try:
            yield
        finally:
            with self._lock:
                self._shared.subtract(keys)

    def _is_held(self, key: Key) -> bool:
        return self._shared[key] > 0
