"""Argo's rows: read whole, and written with labels, proofs, logs and references in one transaction."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from psycopg import sql

from argo_retention.adapters.postgres_archive.connection import (
    Connection,
    PostgresPart,
    Sessions,
)
from argo_retention.adapters.postgres_archive.logs import replace_references, upsert_logs
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.ledger import ArchivedRow, LeaseGrant, RowWrite, RowWritten
from argo_retention.core.proofs import ProvenVersion
from argo_retention.core.row_guards import ExistingRow, check_scope, refusal_of

_ROWS = statements("rows")

ROWS_A_STATEMENT = 25  # whose JSON is in memory three times while it is sent
#: When so many rows are written, the planner must not go on believing that there are fewer: in a table that
#: it takes for empty it looks for the row of each label through an index of clusternames, in all rows.
#: Sooner, it finds the table small enough to be read from end to end, and remember that for each session.
ROWS_BEFORE_ANALYZE = (400, 4000)


class PostgresRows(PostgresPart):
    """Argo's tables `argo_archived_workflows`, `argo_archived_workflows_labels` and the offload table."""

    def __init__(self, sessions: Sessions, *, offload_table: str) -> None:
        """Opens nothing yet."""
        super().__init__(sessions, offload_table=offload_table)
        self._rows_written = 0
        self._analyze_at = list(ROWS_BEFORE_ANALYZE)

    def rows(self, *, clustername: str, uids: Sequence[str]) -> Sequence[ArchivedRow]:
        """In no particular order; what is not there is left out."""
        with self._sessions.reading() as connection:
            found = connection.execute(
                _ROWS["rows"], {"clustername": clustername, "uids": list(uids)}
            )
            return [ArchivedRow(**{**row, "workflow": row["workflow"].encode()}) for row in found]

    def whole_rows(self, *, clustername: str, uids: Sequence[str]) -> Sequence[ArchiveRow]:
        """In no particular order; what is not there is left out."""
        with self._sessions.reading() as connection:
            found = connection.execute(
                _ROWS["whole_rows"], {"clustername": clustername, "uids": list(uids)}
            )
            return [ArchiveRow(**{**row, "workflow": row["workflow"].encode()}) for row in found]

    def offloaded_nodes(self, *, clustername: str, uid: str, version: str) -> bytes | None:
        """As Argo stored them."""
        statement = _ROWS["offloaded_nodes"].format(
            offload_table=sql.Identifier(self._offload_table)
        )
        parameters = {"clustername": clustername, "uid": uid, "version": version}
        with self._sessions.reading() as connection:
            found = connection.execute(statement, parameters).fetchone()
        return None if found is None else found["nodes"].encode()

    def write_rows(self, grant: LeaseGrant, writes: Sequence[RowWrite]) -> Sequence[RowWritten]:
        """Several batches may be written at once, each from a thread of its own."""
        if not writes:
            return []
        for write in writes:
            check_scope(grant, write)
        # One order for all, so that two batches of one cluster cannot wait for each other.
        ordered = sorted(writes, key=lambda write: write.proof.uid)
        with self._sessions.fenced(grant, writes_rows=True) as connection:
            written = self._write(connection, grant, ordered)
        self._analyze_early(len(written))
        return [written[write.proof.uid] for write in writes]

    def _write(
        self, connection: Connection, grant: LeaseGrant, writes: Sequence[RowWrite]
    ) -> Mapping[str, RowWritten]:
        existing = _lock_existing(connection, grant, [write.proof.uid for write in writes])
        refusals: dict[str, str] = {}
        for write in writes:
            uid = write.proof.uid
            refusal = refusal_of(write, existing.get(uid), instanceid=grant.instanceid)
            if refusal:
                refusals[uid] = refusal
        rows = [write.row for write in writes if write.row and write.proof.uid not in refusals]
        digests = _put_rows(connection, grant, rows, held=existing.keys() - refusals.keys())
        for write in writes:
            uid = write.proof.uid
            if uid in refusals:
                continue
            if write.row is None:
                digests[uid] = write.expected_digest
            elif uid not in digests:
                # Argo inserted it between our look and our insert.
                refusals[uid] = "row changed meanwhile"
        done = [write for write in writes if write.proof.uid in digests]
        _put_ledger(connection, grant.clustername, done, digests)
        return {
            uid: RowWritten(uid=uid, digest=digests.get(uid, ""), refusal=refusals.get(uid, ""))
            for uid in (write.proof.uid for write in writes)
        }

    def _analyze_early(self, rows: int) -> None:
        # Two threads may both do it, which costs time only.
        self._rows_written += rows
        if not self._analyze_at or self._rows_written < self._analyze_at[0]:
            return
        self._analyze_at = [at for at in self._analyze_at if at > self._rows_written]
        with self._sessions.transaction() as connection:
            believed = connection.execute(_ROWS["believed_rows"]).fetchone() or {}
            if believed["rows"] < self._rows_written:
                connection.execute(_ROWS["analyze"])


def _lock_existing(
    connection: Connection, grant: LeaseGrant, uids: Sequence[str]
) -> Mapping[str, ExistingRow]:
    found = connection.execute(
        _ROWS["lock_existing"], {"clustername": grant.clustername, "uids": uids}
    )
    return {
        row["uid"]: ExistingRow(
            instanceid=row["instanceid"],
            resource_version=row["resource_version"],
            digest=row["digest"],
        )
        for row in found
    }


def _put_rows(
    connection: Connection, grant: LeaseGrant, rows: Sequence[ArchiveRow], *, held: set[str]
) -> dict[str, str]:
    """Write rows and their labels; digests of those that were written."""
    if not rows:
        return {}
    digests: dict[str, str] = {}
    for start in range(0, len(rows), ROWS_A_STATEMENT):
        part = rows[start : start + ROWS_A_STATEMENT]
        found = connection.execute(_ROWS["write"], _columns(grant, part, held))
        digests |= {row["uid"]: row["digest"] for row in found}
    replaced = [uid for uid in digests if uid in held]
    if replaced:
        connection.execute(
            _ROWS["delete_labels"], {"clustername": grant.clustername, "uids": replaced}
        )
    with connection.cursor().copy(_ROWS["copy_labels"]) as copy:
        for row in rows:
            if row.uid in digests:
                for name, value in row.labels.items():
                    copy.write_row((grant.clustername, row.uid, name, value))
    return digests


def _columns(grant: LeaseGrant, rows: Sequence[ArchiveRow], held: set[str]) -> dict[str, Any]:
    return {
        "clustername": grant.clustername,
        "held": list(held),
        "instanceids": [row.instanceid for row in rows],
        "uids": [row.uid for row in rows],
        "names": [row.name for row in rows],
        "namespaces": [row.namespace for row in rows],
        "phases": [row.phase for row in rows],
        "startedats": [row.startedat for row in rows],
        "finishedats": [row.finishedat for row in rows],
        "creationtimestamps": [row.creationtimestamp for row in rows],
        "workflows": [row.workflow.decode() for row in rows],
    }


def _put_ledger(
    connection: Connection,
    clustername: str,
    writes: Sequence[RowWrite],
    digests: Mapping[str, str],
) -> None:
    if not writes:
        return
    uids = [write.proof.uid for write in writes]
    proofs = [_proof_values(write.proof, digests[write.proof.uid]) for write in writes]
    connection.execute(
        _ROWS["write_proofs"],
        {"clustername": clustername, "proofs": msgspec.json.encode(proofs).decode()},
    )
    connection.execute(_ROWS["forget_vanished"], {"clustername": clustername, "uids": uids})
    upsert_logs(connection, clustername, [record for write in writes for record in write.logs])
    replace_references(
        connection, clustername, digests, [named for write in writes for named in write.references]
    )


def _proof_values(proof: ProvenVersion, digest: str) -> dict[str, Any]:
    facts = proof.facts
    return {
        "uid": proof.uid,
        "resource_version": proof.resource_version,
        "digest": digest,
        "phase": facts.phase,
        "finished_at": facts.finished_at,
        "ttl_seconds": facts.ttl_seconds,
        "template": facts.template,
        "artifact_gc_deletes_logs": facts.artifact_gc_deletes_logs,
        "added": proof.added,
    }
