"""Values of the archive and of our own tables, as they cross the archive port."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.logs import LogRecord, LogReference
from argo_retention.core.proofs import ProvenVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedRow:
    """A row of argo_archived_workflows as it stands now."""

    clustername: str
    instanceid: str
    uid: str
    namespace: str
    name: str
    phase: str
    finishedat: datetime  # naive, as stored
    workflow: bytes  # JSON text of the column
    digest: str  # md5(workflow::text)


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWrite:
    """All that is written for one workflow in one transaction: row, labels, proof, logs, references."""

    row: ArchiveRow | None  # None: the row is already right, only proof and ledger are written
    expected_digest: str  # digest of the row seen before; "" when there was none
    proof: ProvenVersion  # its `digest` is "" where `row` is given: the database computes it
    logs: Sequence[LogRecord]
    references: Sequence[LogReference]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWritten:
    """Outcome for one workflow of a batch."""

    uid: str
    digest: str  # "" when not written
    refusal: str = ""  # why not: a sentence of `row_guards`, or what the database said


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedRow:
    """A row read again FOR SHARE just before deletion; also without a row, if it expired while live."""

    uid: str
    digest: str  # of the row now
    resource_version: int  # proven, by the ledger
    live_version: int  # that version after our own label patch; 0: none
    proven_digest: str  # by the ledger
    proven_at: datetime
    logs_settled: bool  # by the ledger, now
    size: int = 0  # bytes of its JSON, about what the live object takes in etcd
    expired_while_live: bool = False  # no row any more, on purpose; both digests are ""


class Deletion(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of `deletions`: intent before the request, outcome after it."""

    clustername: str
    uid: str
    namespace: str
    name: str
    resource_version: int
    rule: str
    rank: int | None
    reason: str  # the sentence of the plan
    plan_id: str
    run_id: str
    by_whom: str
    outcome: str = "intended"  # or a DeleteOutcome, "observed" in mode observe, or "refused: ..."
    at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRecord:
    """One row of `snapshots`: what a complete list saw."""

    clustername: str
    instanceid: str
    run_id: str
    path: str
    live: int
    finished: int
    resource_version: str
    accepted: bool  # False: refused by the brake on falling counts; not a baseline for the next one
    taken_at: datetime | None = None  # by the database's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """One row of `plans`."""

    plan_id: str
    clustername: str
    instanceid: str
    kind: str  # "retention" or "expiry"
    root_run: str
    path: str
    policy_digest: str
    removals: int
    state: str = "made"  # "made", "applied", "superseded"
    made_at: datetime | None = None


class ExpiryCandidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A row past the shortest TTL, as the plan needs it (from columns, labels and the JSON)."""

    uid: str
    namespace: str
    name: str
    phase: str
    finished_at: datetime | None  # from the JSON, UTC; None where absent or year 1
    digest: str
    labels: Mapping[str, str]
    template: str
    hold: str  # annotation argo-retention.io/hold in the row, or ""
    archive_ttl: str  # annotation argo-retention.io/archive-ttl in the row, or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseGrant:
    """A lease that was granted; `token` rises with each new holder and goes into every intent's WHERE."""

    clustername: str
    instanceid: str
    root_run: str
    token: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One row of `pauses`: nothing is deleted while it holds."""

    clustername: str
    instanceid: str
    because: str
    by_whom: str
    until: datetime | None  # None: until somebody resumes
    since: datetime | None = None  # by the database's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One row of `holds`: what is at this place is neither deleted nor expired while it holds."""

    clustername: str
    instanceid: str
    place: str  # NAMESPACE, or NAMESPACE/NAME of workflows
    because: str
    by_whom: str
    until: datetime | None  # None: until somebody releases it
    since: datetime | None = None  # by the database's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFacts:
    """What doctor and the guards ask of the database."""

    server_version: str
    schema_version: int | None  # None: Argo's tables are not there
    is_read_only: bool  # a standby, or default_transaction_read_only
    now: datetime  # UTC
    missing_rights: Sequence[str]  # e.g. "DELETE on argo_archived_workflows"
    our_tables: bool  # migrated to this version


class ExpiryUnit(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of `expiry_units`: row, labels and log objects of one workflow that expire together."""

    clustername: str
    uid: str
    namespace: str
    name: str
    stage: str  # "intended", "objects_done", "done", "row_vanished", "withdrawn" (the row changed)
    reason: str
    plan_id: str
    run_id: str
    digest: str  # of the row when planned; another digest keeps the row
    kept_objects: Sequence[str] = ()  # "bucket/key: why" of objects that stay
    at: datetime | None = None
