"""The outside world as the operations see it: one abstract class for each server.

The real ones are in `argo_retention.adapters`, in-memory ones in `argo_retention_tests.fakes`; both pass the
same contract suites. All methods raise errors of `argo_retention.errors` only. All are safe to call from
several threads unless said otherwise.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogRecord, LogReference
from argo_retention.core.proofs import ProvenVersion

# ---------------------------------------------------------------------------------------------- cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataPage:
    """One page of a consistent, metadata-only list."""

    workflows: Sequence[LiveWorkflow]
    resource_version: str  # of the whole list, the same on each page
    remaining: int | None  # what the server says is still to come


class DeleteOutcome(StrEnum):
    """What the API server answered to one DELETE."""

    DELETED = "deleted"  #: 200 with a Status: gone
    TERMINATING = "terminating"  #: 200 with the object: a finalizer holds it
    GONE = "gone"  #: 404: somebody else was first
    CHANGED = "changed"  #: 409: another uid or resourceVersion; kept


class PatchOutcome(StrEnum):
    """What the API server answered to the archiving label's patch."""

    PATCHED = "patched"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchResult:
    """Answer to one merge patch; `resource_version` is the new one, 0 unless patched."""

    outcome: PatchOutcome
    resource_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """State of one container of a pod, as far as its log is concerned."""

    name: str
    state: str  # "waiting", "running", "terminated", or "unknown"
    reason: str = ""  # e.g. "ContainerStatusUnknown", "Completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What log saving needs of a pod."""

    namespace: str
    name: str
    uid: str
    phase: str
    workflow_uids: tuple[str, ...]  # uids of the Workflows in its ownerReferences
    node_id: str  # annotation workflows.argoproj.io/node-id, or ""
    containers: Mapping[str, ContainerState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace and its annotations (holds are read from them)."""

    name: str
    annotations: Mapping[str, str]


class Cluster(ABC):
    """The Kubernetes API of one cluster. Lists that decide are consistent reads."""

    @abstractmethod
    def list_metadata(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[MetadataPage]:
        """Pages of all Workflows, metadata only; namespace None is all namespaces.

        Raises ListIncompleteError when a page is refused, a token expires, or two pages come from different
        versions; ClusterForbiddenError on 401 and 403.
        """

    @abstractmethod
    def list_full(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[Sequence[bytes]]:
        """Pages of full objects, each as the JSON bytes of one item, undecoded. Errors as `list_metadata`."""

    @abstractmethod
    def get_workflow(self, *, namespace: str, name: str) -> bytes | None:
        """The full object as JSON bytes; None for 404."""

    @abstractmethod
    def mark_archived(
        self, *, namespace: str, name: str, uid: str, resource_version: int
    ) -> PatchResult:
        """Set the archiving label to Archived by a merge patch that carries uid and resourceVersion."""

    @abstractmethod
    def delete_workflow(
        self, *, namespace: str, name: str, uid: str, resource_version: int
    ) -> DeleteOutcome:
        """DELETE with both preconditions in the body, background propagation; waits as a 429 tells it to."""

    @abstractmethod
    def workflow_exists(self, *, namespace: str, name: str, uid: str) -> bool:
        """Whether the object of this very uid is still there (used after `terminating`)."""

    @abstractmethod
    def get_pod(self, *, namespace: str, name: str) -> Pod | None:
        """The pod; None for 404."""

    @abstractmethod
    def open_pod_log(
        self, *, namespace: str, pod: str, container: str
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The log as a stream of chunks (raw bytes, not text).

        Raises ClusterError, also in the middle of the stream when it is cut;
        a pod that is gone raises PodLogGoneError.
        """

    @abstractmethod
    def namespaces(self) -> Sequence[Namespace]:
        """All namespaces with their annotations."""

    @abstractmethod
    def server_time(self) -> datetime:
        """The `Date` header of an answer given now, UTC."""

    @abstractmethod
    def watch_metadata(
        self, *, selector: str, namespace: str | None, resource_version: str, seconds: int
    ) -> Iterator[tuple[str, LiveWorkflow | None, str]]:
        """Events (type, workflow or None for BOOKMARK, resourceVersion) from a version on, for some seconds.

        Raises WatchExpiredError when the version is too old (410).
        """

    # -- configuration -------------------------------------------------------------------------------

    @abstractmethod
    def get_object(self, *, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One ConfigMap, Secret or Deployment (kind as spelled there), decoded; None for 404."""

    @abstractmethod
    def list_objects(self, *, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        """All Deployments, ConfigMaps, CronWorkflows, WorkflowTemplates or Pods of a namespace or of all."""

    @abstractmethod
    def allowed(self, *, verb: str, group: str, resource: str, namespace: str | None) -> bool:
        """SelfSubjectAccessReview; resource may be "pods/log"; namespace None asks for all."""


# ---------------------------------------------------------------------------------------------- log store


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """What HEAD says of one object."""

    size: int
    etag: str
    last_modified: datetime  # UTC
    metadata: Mapping[str, str]  # user metadata, lower-case keys


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """Answer to a conditional put; `created` is False where the key was taken (412), nothing was written."""

    created: bool
    size: int = 0
    sha256: str = ""
    etag: str = ""


class ObjectDeletion(StrEnum):
    """What became of an object that should be deleted."""

    DELETED = "deleted"
    GONE = "gone"  #: was not there
    CHANGED = "changed"  #: another ETag than the recorded one; kept


class LogStore(ABC):
    """One bucket of S3. Raises ObjectStoreError."""

    @property
    @abstractmethod
    def bucket(self) -> str:
        """Name of the bucket."""

    @abstractmethod
    def head(self, key: str) -> ObjectHead | None:
        """What is there; None for 404 of the key. A missing bucket is an error, never None."""

    @abstractmethod
    def put_if_absent(self, key: str, body: bytes, *, metadata: Mapping[str, str]) -> PutResult:
        """Put with If-None-Match: *; the result says whether the key was free."""

    @abstractmethod
    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, metadata: Mapping[str, str]
    ) -> PutResult:
        """Multipart put of a stream of unknown length, in bounded memory; only for keys that hold our uid.

        When `chunks` raises, nothing is left under the key and the error goes on.
        """

    @abstractmethod
    def delete(self, key: str, *, etag: str) -> ObjectDeletion:
        """Delete the object if its ETag is still this one."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """The whole object (people look at logs in `explain`); None for 404."""

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below a prefix."""

    @abstractmethod
    def server_time(self) -> datetime:
        """The S3 server's clock, UTC, as far as it can be had: LastModified of a small object just put."""


# ---------------------------------------------------------------------------------------------- tables of runs


class TableStore(ABC):
    """Parquet files under `storage.uri`: written once, whole or not at all."""

    @abstractmethod
    def write(
        self, path: str, schema: Mapping[str, str], batches: Iterable[Sequence[Mapping[str, Any]]]
    ) -> str:
        """Write rows (column → value) as one file; returns its URI. When `batches` raises, no file is left.

        `schema` maps column to "string", "int64", "bool", "timestamp" (UTC, microseconds), "map" (string to
        string), "strings" (list).
        """

    @abstractmethod
    def read(self, path: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Batches of rows as written. Raises ObjectStoreError when the file is not there."""

    @abstractmethod
    def uri(self, path: str) -> str:
        """Full address of a file, for people."""

    @abstractmethod
    def paths(self, prefix: str) -> Sequence[str]:
        """Paths of the files below a prefix, sorted."""


# ---------------------------------------------------------------------------------------------- archive


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
    refusal: str = ""  # why not: "row is newer", "row changed meanwhile", or what the database said


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedRow:
    """A row read again FOR SHARE just before deletion."""

    uid: str
    digest: str  # of the row now
    resource_version: int  # proven, by the ledger
    proven_digest: str  # by the ledger
    proven_at: datetime
    logs_settled: bool  # by the ledger, now


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryCandidate:
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
class DatabaseFacts:
    """What doctor and the guards ask of the database."""

    server_version: str
    schema_version: int | None  # None: Argo's tables are not there
    is_read_only: bool  # a standby, or default_transaction_read_only
    now: datetime  # UTC
    missing_rights: Sequence[str]  # e.g. "DELETE on argo_archived_workflows"
    our_tables: bool  # migrated to this version


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiryUnit:
    """One row of `expiry_units`: row, labels and log objects of one workflow that expire together."""

    clustername: str
    uid: str
    namespace: str
    name: str
    stage: str  # "intended", "objects_done", "done", "row_vanished"
    reason: str
    plan_id: str
    run_id: str
    digest: str  # of the row when planned; another digest keeps the row
    kept_objects: Sequence[str] = ()  # "bucket/key: why" of objects that stay
    at: datetime | None = None


class Archive(ABC):
    """Argo's archive tables and our ledger, in one database. Raises DatabaseError.

    Every method that writes takes the lease's grant and raises LeaseLostError when it is no longer valid.
    """

    # -- what it is -----------------------------------------------------------------------------------

    @abstractmethod
    def facts(self) -> DatabaseFacts:
        """Versions, rights, clock; never changes anything."""

    @abstractmethod
    def migrate(self) -> Sequence[str]:
        """Bring our own tables to this version; names of the migrations done. Argo's are never altered."""

    # -- lease ----------------------------------------------------------------------------------------

    @abstractmethod
    def acquire_lease(
        self,
        *,
        clustername: str,
        instanceid: str,
        root_run: str,
        host: str,
        is_finished: Callable[[str], bool],
        stale_after: timedelta = timedelta(seconds=60),
    ) -> LeaseGrant:
        """Take or re-enter the lease; LeaseHeldError names holder, host and since when.

        Taken over where the heartbeat is older than `stale_after` or `is_finished(holder's root run)`.
        """

    @abstractmethod
    def heartbeat(self, grant: LeaseGrant) -> None:
        """Say that the holder lives; LeaseLostError when it was taken over."""

    @abstractmethod
    def release_lease(self, grant: LeaseGrant) -> None:
        """Give it back; nothing happens where it was taken over."""

    @abstractmethod
    def lease_holder(self, *, clustername: str, instanceid: str) -> Mapping[str, Any] | None:
        """Holder as {root_run, host, since, heartbeat}, None when free."""

    # -- archiving ------------------------------------------------------------------------------------

    @abstractmethod
    def proven_versions(
        self, *, clustername: str, uids: Sequence[str] | None = None
    ) -> Iterator[ProvenVersion]:
        """The ledger's proofs, with `row_exists` and the summary of logs; uids None streams all."""

    @abstractmethod
    def rows(self, *, clustername: str, uids: Sequence[str]) -> Sequence[ArchivedRow]:
        """Whole rows of these uids with their digest."""

    @abstractmethod
    def offloaded_nodes(self, *, clustername: str, uid: str, version: str) -> bytes | None:
        """JSON of the nodes that Argo offloaded under this version (table of persistence.tableName)."""

    @abstractmethod
    def write_rows(self, grant: LeaseGrant, writes: Sequence[RowWrite]) -> Sequence[RowWritten]:
        """One transaction for the batch: rows and labels by COPY and upsert, proofs, logs, references.

        A row whose JSON has a higher resourceVersion, or whose digest is not `expected_digest` any more, is
        left alone and named. Raises RowRefusedError when the database refuses data; then nothing is written.
        """

    @abstractmethod
    def record_patched(self, grant: LeaseGrant, versions: Mapping[str, tuple[int, int]]) -> None:
        """uid → (proven version, new version): our own label patch moved the live version on."""

    @abstractmethod
    def expired_while_live(self, *, clustername: str) -> Mapping[str, int]:
        """uid → resourceVersion of live workflows whose row expired (`expiry.while_live: expire`)."""

    # -- logs -----------------------------------------------------------------------------------------

    @abstractmethod
    def log_records(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogRecord]:
        """What the ledger knows of the logs of these workflows."""

    @abstractmethod
    def record_logs(self, grant: LeaseGrant, records: Sequence[LogRecord]) -> None:
        """Insert or replace log records in a transaction of their own (intents before a put)."""

    @abstractmethod
    def references_of_others(
        self, *, clustername: str, objects: Sequence[LogReference]
    ) -> Mapping[tuple[str, str], Sequence[str]]:
        """(bucket, key) → uids other than the reference's own that name this object, in any cluster."""

    @abstractmethod
    def backfill_references(self, grant: LeaseGrant, *, batch: int = 500) -> int:
        """Read rows that have no references yet (Argo's own) and record theirs; how many rows were left
        before this batch; 0 means complete. Covers all clusters in this database."""

    # -- snapshots and plans --------------------------------------------------------------------------

    @abstractmethod
    def record_snapshot(self, grant: LeaseGrant, record: SnapshotRecord) -> None:
        """Remember what a list saw."""

    @abstractmethod
    def last_snapshot(self, *, clustername: str, instanceid: str) -> SnapshotRecord | None:
        """The last accepted one."""

    @abstractmethod
    def snapshot_of_run(self, *, clustername: str, run_id: str) -> SnapshotRecord | None:
        """The one that this root run took."""

    @abstractmethod
    def deletions_since(self, *, clustername: str, since: datetime) -> int:
        """How many workflows our ledger says we removed from the cluster since then."""

    @abstractmethod
    def record_plan(self, grant: LeaseGrant, record: PlanRecord) -> None:
        """Remember a plan; older plans of the same cluster and kind become superseded."""

    @abstractmethod
    def plan_record(
        self, *, clustername: str, kind: str, plan_id: str | None = None, root_run: str | None = None
    ) -> PlanRecord | None:
        """By id, else that of a root run."""

    @abstractmethod
    def claim_plan(self, grant: LeaseGrant, plan_id: str) -> bool:
        """Conditional UPDATE made → applied; False when somebody used it or it was superseded."""

    # -- collecting -----------------------------------------------------------------------------------

    @abstractmethod
    def record_deletions(self, grant: LeaseGrant, deletions: Sequence[Deletion]) -> None:
        """Insert intents or replace their outcome (key: clustername, uid, plan id); commits."""

    @abstractmethod
    def lock_rows(
        self, grant: LeaseGrant, *, uids: Sequence[str]
    ) -> AbstractContextManager[Mapping[str, LockedRow]]:
        """Rows of at most 100 uids read FOR SHARE with digest and ledger; locks are held to the end."""

    @abstractmethod
    def open_deletions(self, *, clustername: str) -> Sequence[Deletion]:
        """Intents without outcome, and `terminating` ones: a crash or a finalizer left them so."""

    @abstractmethod
    def history(self, *, clustername: str, uid: str) -> Mapping[str, Any]:
        """All that the ledger knows of one uid: proof, logs, deletions, expiry, for `explain`."""

    @abstractmethod
    def find_uids(self, *, clustername: str, namespace: str, name: str) -> Sequence[str]:
        """uids of this name in rows and ledger, newest first, also of those long gone."""

    # -- expiring -------------------------------------------------------------------------------------

    @abstractmethod
    def expiry_candidates(
        self, *, clustername: str, instanceid: str, namespace: str | None, finished_before: datetime
    ) -> Iterator[Sequence[ExpiryCandidate]]:
        """Rows whose column finishedat is before, oldest first, in batches; the column only preselects."""

    @abstractmethod
    def vanished(self, *, clustername: str) -> Sequence[ExpiryUnit]:
        """Workflows with stored logs in our ledger, whose row we wrote or proved and is not there now."""

    @abstractmethod
    def record_units(self, grant: LeaseGrant, units: Sequence[ExpiryUnit]) -> None:
        """Insert or move units to their stage; commits."""

    @abstractmethod
    def open_units(self, *, clustername: str) -> Sequence[ExpiryUnit]:
        """Units that a crash left between two stages."""

    @abstractmethod
    def expire_rows(
        self, grant: LeaseGrant, units: Sequence[ExpiryUnit], *, live_versions: Mapping[str, int]
    ) -> Sequence[str]:
        """Delete rows (labels go by cascade), references, and proofs of these units, mark the units done, in
        one small transaction, rows locked by others skipped. A row with another digest than the unit's
        stays. Returns the uids whose rows went (or were gone already). For a uid in `live_versions` the
        ledger remembers that version as expired while live."""

    @abstractmethod
    def counts(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        """Counts for `status` and the demo: rows, labels, proven, deletions, expired, references, ..."""
