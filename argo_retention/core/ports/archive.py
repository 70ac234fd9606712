"""Port: Argo's archive tables and our ledger, in one database."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.bindings import Binding, DatabaseIdentity
from argo_retention.core.ledger import (
    ArchivedRow,
    DatabaseFacts,
    Deletion,
    ExpiryCandidate,
    ExpiryUnit,
    Hold,
    LeaseGrant,
    LockedRow,
    Pause,
    PlanRecord,
    RowWrite,
    RowWritten,
    SnapshotRecord,
)
from argo_retention.core.logs import LogRecord, LogReference
from argo_retention.core.proofs import ProvenVersion


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

    # -- identity -------------------------------------------------------------------------------------

    @abstractmethod
    def identity(self, *, clustername: str) -> DatabaseIdentity:
        """Whose database this is, and all bindings of this clusterName; empty before the first run."""

    @abstractmethod
    def begin_run(
        self, grant: LeaseGrant, binding: Binding, *, installation: str, runs: int
    ) -> DatabaseIdentity:
        """Count a run and bind the cluster, in one transaction; what is known then.

        `installation` names a database that has no name yet. The counter becomes one more than the larger of
        its own and `runs`, the binding's resourceVersion never less than it was.
        """

    @abstractmethod
    def accept(
        self,
        grant: LeaseGrant,
        binding: Binding,
        *,
        moved: Sequence[str],
        because: str,
        by_whom: str,
        void_proofs: bool,
    ) -> None:
        """Record that a person took what moved for right: the binding replaces all of its clusterName.

        With `void_proofs` no version of this installation counts as proven any more: each has to be compared
        with its row again (rule 3).
        """

    # -- pause ----------------------------------------------------------------------------------------

    @abstractmethod
    def pause(self, pause: Pause) -> None:
        """Say that nothing is to be deleted; replaces an earlier pause. Takes no lease: a run may hold it."""

    @abstractmethod
    def resume(self, *, clustername: str, instanceid: str) -> Pause | None:
        """End the pause; which it was, None where there was none."""

    @abstractmethod
    def pause_of(self, *, clustername: str, instanceid: str) -> Pause | None:
        """The pause that holds by the database's clock; None where there is none, or it is over."""

    # -- holds ----------------------------------------------------------------------------------------

    @abstractmethod
    def add_hold(self, hold: Hold) -> None:
        """Keep what is at this place; replaces an earlier hold of the place. Takes no lease."""

    @abstractmethod
    def release_hold(self, *, clustername: str, instanceid: str, place: str) -> Hold | None:
        """End a hold; which it was, None where there was none."""

    @abstractmethod
    def holds(self, *, clustername: str, instanceid: str) -> Sequence[Hold]:
        """Those that hold by the database's clock, by place."""

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
    def whole_rows(self, *, clustername: str, uids: Sequence[str]) -> Sequence[ArchiveRow]:
        """Rows of these uids with all columns and their labels, as `write_rows` takes them."""

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
        """uid → (proven version, new version): set `live_version`; the proof holds for both."""

    # -- logs -----------------------------------------------------------------------------------------

    @abstractmethod
    def log_records(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogRecord]:
        """What the ledger knows of the logs of these workflows."""

    @abstractmethod
    def record_logs(self, grant: LeaseGrant, records: Sequence[LogRecord]) -> None:
        """Insert or replace log records in a transaction of their own (intents before a put)."""

    @abstractmethod
    def references(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogReference]:
        """All log objects that the rows of these uids name, by `log_references`."""

    @abstractmethod
    def references_of_others(
        self, *, clustername: str, objects: Sequence[LogReference]
    ) -> Mapping[tuple[str, str], Sequence[str]]:
        """(bucket, key) → uids other than the reference's own that name this object, in any cluster."""

    @abstractmethod
    def unnamed_logs(self, *, clustername: str, instanceid: str) -> Sequence[LogRecord]:
        """Stored logs of rows that are there, which no reference names: the first fifty."""

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
    def deletions_since(self, *, clustername: str, instanceid: str, since: datetime) -> int:
        """How many workflows our ledger says we removed from the cluster since then."""

    @abstractmethod
    def record_plan(self, grant: LeaseGrant, record: PlanRecord) -> None:
        """Remember a plan; older plans of the same cluster and kind become superseded."""

    @abstractmethod
    def plan_record(
        self,
        *,
        clustername: str,
        kind: str,
        plan_id: str | None = None,
        root_run: str | None = None,
    ) -> PlanRecord | None:
        """By id, else that of a root run, else the last one of the cluster."""

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
    def open_deletions(self, *, clustername: str, instanceid: str) -> Sequence[Deletion]:
        """Intents without outcome, and `terminating` ones: a crash or a finalizer left them so."""

    @abstractmethod
    def forget(
        self, grant: LeaseGrant, *, traces_before: datetime | None, ledger_before: datetime | None
    ) -> Mapping[str, int]:
        """Drop records of this installation that are older; what → how many, at most ten thousand of each.

        `traces_before`: snapshots and plans, but the newest of each. `ledger_before`: deletions whose outcome
        is known, and units that have expired with what is recorded of their logs. None drops nothing.
        """

    @abstractmethod
    def explained(self, *, clustername: str, uids: Sequence[str]) -> AbstractSet[str]:
        """Those of these uids of whose leaving the cluster the ledger already says something."""

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
    def vanished(
        self, *, clustername: str, instanceid: str, namespace: str | None
    ) -> Sequence[ExpiryUnit]:
        """Workflows with stored logs in our ledger, whose row we wrote or proved and is not there now."""

    @abstractmethod
    def record_units(self, grant: LeaseGrant, units: Sequence[ExpiryUnit]) -> None:
        """Insert or move units to their stage; commits."""

    @abstractmethod
    def row_digests(self, *, clustername: str, uids: Sequence[str]) -> Mapping[str, str]:
        """uid → md5 of its row's JSON now; a uid without a row is not in it."""

    @abstractmethod
    def open_units(self, *, clustername: str, instanceid: str) -> Sequence[ExpiryUnit]:
        """Units that a crash left between two stages."""

    @abstractmethod
    def expire_rows(
        self, grant: LeaseGrant, units: Sequence[ExpiryUnit], *, live_versions: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Delete rows (labels go by cascade), references and proofs, and record these units as done, in
        one small transaction, rows locked by others skipped. A row with another digest than the unit's
        stays. Returns the uids whose rows went, with the bytes that their JSON took in the table (0 where the
        row was gone already). A uid in `live_versions` is still in
        the cluster at that resourceVersion: its proof stays, at that version and marked
        `expired_while_live`, so that it is neither archived again nor held back as unproven.
        """

    @abstractmethod
    def deleted_by_rule(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        """Rule ("" for what vanished by others) → how many workflows left the cluster by it, for metrics."""

    @abstractmethod
    def sizes(self, *, clustername: str) -> Mapping[str, int]:
        """Bytes: `logs` (stored, not expired), `archive` (Argo's two tables with their indexes)."""

    @abstractmethod
    def counts(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        """Counts for `status` and the demo: rows, labels, proven, deletions, expired, references, ..."""
