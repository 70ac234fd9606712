"""Proofs: which live version stands in the archive, and the rows read again just before a deletion."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from argo_retention.adapters.postgres_archive.connection import PostgresPart
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.ledger import LeaseGrant, LockedRow
from argo_retention.core.logs import LogSummary
from argo_retention.core.proofs import Facts, ProvenVersion

_PROOFS = statements("proofs")

ROWS_A_FETCH = 2000


class PostgresProofs(PostgresPart):
    """Table `archived_versions`, beside Argo's rows."""

    def proven_versions(
        self, *, clustername: str, uids: Sequence[str] | None = None
    ) -> Iterator[ProvenVersion]:
        """All are streamed by a cursor of the server; some come in one answer."""
        parameters = {"clustername": clustername, "uids": None if uids is None else list(uids)}
        if uids is not None:
            with self._sessions.reading() as connection:
                found = connection.execute(_PROOFS["proven"], parameters).fetchall()
            yield from map(_proven, found)
            return
        with (
            self._sessions.transaction() as connection,
            connection.cursor(name="proven_versions") as cursor,
        ):
            cursor.itersize = ROWS_A_FETCH
            cursor.execute(_PROOFS["proven"], parameters)
            for row in cursor:
                yield _proven(row)

    def record_patched(self, grant: LeaseGrant, versions: Mapping[str, tuple[int, int]]) -> None:
        """A proof of another version than the one that was patched stays as it is."""
        if not versions:
            return
        parameters = {
            "clustername": grant.clustername,
            "uids": list(versions),
            "proven": [proven for proven, _ in versions.values()],
            "new": [new for _, new in versions.values()],
        }
        with self._sessions.fenced(grant) as connection:
            connection.execute(_PROOFS["patched"], parameters)

    @contextmanager
    def lock_rows(
        self, grant: LeaseGrant, *, uids: Sequence[str]
    ) -> Iterator[Mapping[str, LockedRow]]:
        """Rows that vanished, were not proven, or are of another instance are not in the answer."""
        parameters = {
            "clustername": grant.clustername,
            "instanceid": grant.instanceid,
            "uids": list(uids),
        }
        with self._sessions.fenced(grant) as connection:
            found = connection.execute(_PROOFS["lock_rows"], parameters).fetchall()
            found += connection.execute(_PROOFS["lock_expired"], parameters).fetchall()
            yield {row["uid"]: LockedRow(**row) for row in found}


def _proven(row: Mapping[str, Any]) -> ProvenVersion:
    return ProvenVersion(
        clustername=row["clustername"],
        uid=row["uid"],
        resource_version=row["resource_version"],
        live_version=row["live_version"],
        digest=row["digest"],
        proven_at=row["proven_at"],
        facts=Facts(
            phase=row["phase"],
            finished_at=row["finished_at"],
            ttl_seconds=row["ttl_seconds"],
            template=row["template"],
            artifact_gc_deletes_logs=row["artifact_gc_deletes_logs"],
        ),
        added=tuple(row["added"]),
        row_exists=row["row_exists"],
        expired_while_live=row["expired_while_live"],
        logs=LogSummary(
            stored=row["stored"],
            not_wanted=row["not_wanted"],
            lost=row["lost"],
            unsettled=row["unsettled"],
            first_reason=row["first_reason"],
        ),
    )
