"""An archive in memory, with faults and hooks for each method."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from msgspec import structs

from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.ledger import (
    ArchivedRow,
    DatabaseFacts,
    LeaseGrant,
    LockedRow,
    RowWrite,
    RowWritten,
)
from argo_retention.core.logs import LogRecord, LogReference, LogState, LogSummary
from argo_retention.core.proofs import ProvenVersion
from argo_retention.core.row_guards import ExistingRow, check_scope, refusal_of
from argo_retention.errors import DatabaseError, LeaseHeldError, LeaseLostError
from argo_retention_tests.fakes.archive_expiry import FakeExpiry
from argo_retention_tests.fakes.archive_identities import FakeIdentities
from argo_retention_tests.fakes.archive_ledger import FakeLedger
from argo_retention_tests.fakes.archive_tables import (
    Key,
    Lease,
    Proof,
    digest_of,
    refuse_as_postgres_does,
)


class FakeArchive(FakeLedger, FakeExpiry, FakeIdentities):
    """Behaves as PostgresArchive does; `argo_retention_tests/contracts/test_archive*.py` hold it to that.

    `archive.put_row(row)` is Argo archiving, `archive.remove_row(cluster, uid)` Argo expiring;
    `archive.fail("write_rows", DatabaseError("..."))` lets one call fail; `archive.now` is its clock.
    """

    def facts(self) -> DatabaseFacts:
        self._meet("facts", {})
        return DatabaseFacts(
            server_version="fake",
            schema_version=self.schema_version,
            is_read_only=self.read_only,
            now=self.now,
            missing_rights=[],
            our_tables=True,
        )

    def migrate(self) -> Sequence[str]:
        self._meet("migrate", {})
        return []

    # -- lease ------------------------------------------------------------------------------------------

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
        self._meet("acquire_lease", {"clustername": clustername, "root_run": root_run})
        if not root_run:
            raise ValueError("a lease needs the id of a run")
        with self._lock:
            now = self.now
            lease = self.leases.setdefault(
                (clustername, instanceid), Lease(since=now, heartbeat=now)
            )
            if lease.root_run != root_run:
                is_stale = lease.heartbeat < now - stale_after
                if lease.root_run and not is_stale and not is_finished(lease.root_run):
                    raise LeaseHeldError(
                        f"Cluster {clustername!r} is worked on by run {lease.root_run} on "
                        f"{lease.host} since {lease.since}"
                    )
                lease.token += 1
                lease.since = now
            lease.root_run, lease.host, lease.heartbeat = root_run, host, now
            return LeaseGrant(
                clustername=clustername,
                instanceid=instanceid,
                root_run=root_run,
                token=lease.token,
            )

    def heartbeat(self, grant: LeaseGrant) -> None:
        with self._fenced("heartbeat", grant):
            self.leases[grant.clustername, grant.instanceid].heartbeat = self.now

    def release_lease(self, grant: LeaseGrant) -> None:
        try:
            with self._fenced("release_lease", grant):
                self.leases[grant.clustername, grant.instanceid].root_run = ""
        except LeaseLostError:
            return

    def lease_holder(self, *, clustername: str, instanceid: str) -> Mapping[str, Any] | None:
        self._meet("lease_holder", {"clustername": clustername})
        lease = self.leases.get((clustername, instanceid))
        if lease is None or not lease.root_run:
            return None
        return {
            "root_run": lease.root_run,
            "host": lease.host,
            "since": lease.since,
            "heartbeat": lease.heartbeat,
        }

    # -- archiving --------------------------------------------------------------------------------------

    def proven_versions(
        self, *, clustername: str, uids: Sequence[str] | None = None
    ) -> Iterator[ProvenVersion]:
        self._meet("proven_versions", {"clustername": clustername, "uids": uids})
        with self._lock:
            found = [
                replace(proof.version, row_exists=key in self.argo_rows, logs=self._summary(key))
                for key, proof in self.proofs.items()
                if key[0] == clustername and (uids is None or key[1] in uids)
            ]
        yield from found

    def _summary(self, key: Key) -> LogSummary:
        logs = [log for identity, log in self.logs.items() if identity[:2] == key]
        states = [log.state for log in logs]
        unsettled = [log.reason for log in logs if not log.state.is_settled]
        return LogSummary(
            stored=states.count(LogState.STORED),
            not_wanted=states.count(LogState.NOT_WANTED),
            lost=states.count(LogState.LOST),
            unsettled=len(unsettled),
            first_reason=min(unsettled, default=""),
        )

    def rows(self, *, clustername: str, uids: Sequence[str]) -> Sequence[ArchivedRow]:
        self._meet("rows", {"clustername": clustername, "uids": uids})
        with self._lock:
            rows = [self.argo_rows.get((clustername, uid)) for uid in dict.fromkeys(uids)]
        return [
            ArchivedRow(
                clustername=row.clustername,
                instanceid=row.instanceid,
                uid=row.uid,
                namespace=row.namespace,
                name=row.name,
                phase=row.phase,
                finishedat=row.finishedat,
                workflow=row.workflow,
                digest=digest_of(row.workflow),
            )
            for row in rows
            if row is not None
        ]

    def whole_rows(self, *, clustername: str, uids: Sequence[str]) -> Sequence[ArchiveRow]:
        self._meet("whole_rows", {"clustername": clustername, "uids": uids})
        with self._lock:
            rows = [self.argo_rows.get((clustername, uid)) for uid in dict.fromkeys(uids)]
        return [row for row in rows if row is not None]

    def offloaded_nodes(self, *, clustername: str, uid: str, version: str) -> bytes | None:
        self._meet("offloaded_nodes", {"uid": uid, "version": version})
        return self.offloaded.get((clustername, uid, version))

    def write_rows(self, grant: LeaseGrant, writes: Sequence[RowWrite]) -> Sequence[RowWritten]:
        for write in writes:
            check_scope(grant, write)
        with self._fenced("write_rows", grant, writes=writes):
            for write in writes:
                if write.row is not None:
                    refuse_as_postgres_does(write.row)
                if self._is_held((grant.clustername, write.proof.uid)):
                    raise DatabaseError("another session holds the rows for too long")
            return [self._write(grant, write) for write in writes]

    def _write(self, grant: LeaseGrant, write: RowWrite) -> RowWritten:
        key = grant.clustername, write.proof.uid
        found = self.argo_rows.get(key)
        existing = None
        if found is not None:
            version = msgspec.json.decode(found.workflow).get("metadata", {}).get("resourceVersion")
            existing = ExistingRow(
                instanceid=found.instanceid,
                resource_version=int(version or 0),
                digest=digest_of(found.workflow),
            )
        refusal = refusal_of(write, existing, instanceid=grant.instanceid)
        if refusal:
            return RowWritten(uid=key[1], digest="", refusal=refusal)
        row = write.row or found
        if row is None:
            raise AssertionError("the guard lets no proof pass without a row")
        self.argo_rows[key] = row
        digest = digest_of(row.workflow)
        self.proofs[key] = Proof(
            instanceid=row.instanceid,
            namespace=row.namespace,
            name=row.name,
            version=replace(
                write.proof,
                digest=digest,
                proven_at=self.now,
                live_version=0,
                expired_while_live=False,
            ),
        )
        self._put_logs(write.logs)
        self.references_by_row[key] = set(write.references)
        self.rows_read[key] = row
        if key in self.units and self.units[key][1].stage == "row_vanished":
            del self.units[key]
        return RowWritten(uid=key[1], digest=digest)

    def record_patched(self, grant: LeaseGrant, versions: Mapping[str, tuple[int, int]]) -> None:
        with self._fenced("record_patched", grant, versions=versions):
            for uid, (proven, new) in versions.items():
                proof = self.proofs.get((grant.clustername, uid))
                if proof is not None and proof.version.holds_for(proven):
                    version = replace(proof.version, live_version=new)
                    self.proofs[grant.clustername, uid] = replace(proof, version=version)

    @contextmanager
    def lock_rows(
        self, grant: LeaseGrant, *, uids: Sequence[str]
    ) -> Iterator[Mapping[str, LockedRow]]:
        with self._fenced("lock_rows", grant, uids=uids):
            keys = [(grant.clustername, uid) for uid in uids]
            found = {row.uid: row for row in map(self._locked, keys) if row is not None}
            found = {
                uid: row
                for uid, row in found.items()
                if self.proofs[grant.clustername, uid].instanceid == grant.instanceid
            }
        with self._sharing([(grant.clustername, uid) for uid in found]):
            yield found

    def _locked(self, key: Key) -> LockedRow | None:
        row, proof = self.argo_rows.get(key), self.proofs.get(key)
        if proof is None or (row is None and not proof.version.expired_while_live):
            return None
        return LockedRow(
            uid=key[1],
            digest="" if row is None else digest_of(row.workflow),
            resource_version=proof.version.resource_version,
            live_version=proof.version.live_version,
            proven_digest="" if row is None else proof.version.digest,
            proven_at=proof.version.proven_at,
            logs_settled=self._summary(key).is_settled,
            size=0 if row is None else len(row.workflow),
            expired_while_live=row is None,
        )

    # -- logs -------------------------------------------------------------------------------------------

    def log_records(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogRecord]:
        self._meet("log_records", {"clustername": clustername, "uids": uids})
        with self._lock:
            return [
                log
                for identity, log in sorted(self.logs.items())
                if identity[0] == clustername and identity[1] in uids
            ]

    def record_logs(self, grant: LeaseGrant, records: Sequence[LogRecord]) -> None:
        if any(record.clustername != grant.clustername for record in records):
            raise ValueError("log records of a cluster that the lease is not for")
        with self._fenced("record_logs", grant, records=records):
            self._put_logs(records)

    def _put_logs(self, records: Sequence[LogRecord]) -> None:
        for record in records:
            identity = record.clustername, record.uid, record.node_id, record.container
            self.logs[identity] = structs.replace(record, saved_at=record.saved_at or self.now)

    def references(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogReference]:
        self._meet("references", {"clustername": clustername, "uids": uids})
        with self._lock:
            found = [
                reference
                for uid in uids
                for reference in self.references_by_row.get((clustername, uid), ())
            ]
        return sorted(found, key=lambda named: (named.uid, named.bucket, named.key))

    def unnamed_logs(self, *, clustername: str, instanceid: str) -> Sequence[LogRecord]:
        self._meet("unnamed_logs", {"clustername": clustername})
        with self._lock:
            return [
                log
                for identity, log in sorted(self.logs.items())
                if (row := self.argo_rows.get(identity[:2])) is not None
                and (log.clustername, row.instanceid) == (clustername, instanceid)
                and log.state is LogState.STORED
                and log.key
                and not any(
                    named.key == log.key and named.bucket in {log.bucket, ""}
                    for named in self.references_by_row.get(identity[:2], ())
                )
            ][:50]

    def references_of_others(
        self, *, clustername: str, objects: Sequence[LogReference]
    ) -> Mapping[tuple[str, str], Sequence[str]]:
        self._meet("references_of_others", {"objects": objects})
        with self._lock:
            done = {key for key, (_, unit) in self.units.items() if unit.stage == "done"}
            named = [
                ((ref.clustername, ref.uid), ref.bucket, ref.key)
                for refs in self.references_by_row.values()
                for ref in refs
            ]
            named += [
                ((log.clustername, log.uid), log.bucket, log.key)
                for log in self.logs.values()
                if log.state in {LogState.STORED, LogState.INTENDED}
                and log.key
                and (log.clustername, log.uid) not in done
            ]
        others: dict[tuple[str, str], set[str]] = {}
        for asked in objects:
            for who, bucket, key in named:
                same = key == asked.key and bucket in {asked.bucket, ""}
                if same and who != (clustername, asked.uid):
                    others.setdefault((asked.bucket, asked.key), set()).add(who[1])
        return {named_object: sorted(uids) for named_object, uids in others.items()}

    def backfill_references(self, grant: LeaseGrant, *, batch: int = 500) -> int:
        with self._fenced("backfill_references", grant, batch=batch):
            unread = [k for k, row in self.argo_rows.items() if self.rows_read.get(k) is not row]
            for key in unread[:batch]:
                self.references_by_row[key] = _references(key, self.argo_rows[key].workflow)
                self.rows_read[key] = self.argo_rows[key]
                if key in self.units and self.units[key][1].stage == "row_vanished":
                    del self.units[key]
            if not unread:
                self._forget_unknown()
            return len(unread)

    def _forget_unknown(self) -> None:
        open_units = {key for key, (_, unit) in self.units.items() if unit.stage != "done"}
        for key in list(self.rows_read):
            if not (key in self.argo_rows or key in self.proofs or key in open_units):
                del self.rows_read[key]
                self.references_by_row.pop(key, None)


def _references(key: Key, workflow: bytes) -> set[LogReference]:
    manifest = msgspec.json.decode(workflow)
    status, spec = manifest.get("status") or {}, manifest.get("spec") or {}
    stored = status.get("storedWorkflowTemplateSpec") or {}
    templates = [
        *(spec.get("templates") or []),
        *(status.get("storedTemplates") or {}).values(),
        *(stored.get("templates") or []),
    ]
    repository = (status.get("artifactRepositoryRef") or {}).get("artifactRepository") or {}
    bucket = (repository.get("s3") or {}).get("bucket", "")
    if any((template.get("archiveLocation") or {}).get("s3") for template in templates):
        bucket = ""
    found = set()
    for node in (status.get("nodes") or {}).values():
        for artifact in (node.get("outputs") or {}).get("artifacts") or []:
            s3 = artifact.get("s3") or {}
            if artifact.get("name", "").endswith("-logs") and s3.get("key"):
                found.add(
                    LogReference(
                        bucket=s3.get("bucket") or bucket,
                        key=s3["key"],
                        clustername=key[0],
                        uid=key[1],
                    )
                )
    return found
