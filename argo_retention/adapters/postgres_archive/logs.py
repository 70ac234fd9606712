"""Log records and references: who needs which object."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from argo_retention.adapters.postgres_archive.connection import Connection, PostgresPart
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.logs import LogRecord, LogReference, LogSource, LogState

_LOGS = statements("logs")


def upsert_logs(connection: Connection, clustername: str, records: Sequence[LogRecord]) -> None:
    """Insert or replace, within the caller's transaction."""
    if records:
        connection.execute(
            _LOGS["record"],
            {"clustername": clustername, "records": msgspec.json.encode(records).decode()},
        )


def replace_references(
    connection: Connection,
    clustername: str,
    digests: Mapping[str, str],
    references: Sequence[LogReference],
) -> None:
    """Make these the references of these rows (uid → digest), and mark the rows as read."""
    # Long lists go as JSON: psycopg writes an array of text in Python, which took as long as the database.
    parameters = {
        "clustername": clustername,
        "uids": list(digests),
        "digests": list(digests.values()),
        "references": msgspec.json.encode(references).decode(),
    }
    connection.execute(_LOGS["drop_references"], parameters)
    connection.execute(_LOGS["write_references"], parameters)
    connection.execute(_LOGS["mark_read"], parameters)


class PostgresLogs(PostgresPart):
    """Tables `log_objects` and `log_references`."""

    def log_records(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogRecord]:
        """In the order of uid, node and container."""
        with self._sessions.reading() as connection:
            found = connection.execute(
                _LOGS["records"], {"clustername": clustername, "uids": list(uids)}
            )
            return [_record(row) for row in found]

    def record_logs(self, grant: LeaseGrant, records: Sequence[LogRecord]) -> None:
        """One transaction."""
        if not records:
            return
        if any(record.clustername != grant.clustername for record in records):
            raise ValueError("log records of a cluster that the lease is not for")
        with self._sessions.fenced(grant) as connection:
            upsert_logs(connection, grant.clustername, records)

    def references(self, *, clustername: str, uids: Sequence[str]) -> Sequence[LogReference]:
        """In the order of uid, bucket and key."""
        parameters = {"clustername": clustername, "uids": list(uids)}
        with self._sessions.reading() as connection:
            return [
                LogReference(**row) for row in connection.execute(_LOGS["references"], parameters)
            ]

    def references_of_others(
        self, *, clustername: str, objects: Sequence[LogReference]
    ) -> Mapping[tuple[str, str], Sequence[str]]:
        """Records of stored logs count as references, too: a row may have lost the artifact that we added."""
        others: dict[tuple[str, str], list[str]] = defaultdict(list)
        parameters = {
            "buckets": [reference.bucket for reference in objects],
            "keys": [reference.key for reference in objects],
            "clustername": clustername,
            "uids": [reference.uid for reference in objects],
        }
        with self._sessions.reading() as connection:
            for row in connection.execute(_LOGS["others"], parameters):
                uids = others[row["bucket"], row["key"]]
                if row["uid"] not in uids:
                    uids.append(row["uid"])
        return dict(others)

    def unnamed_logs(self, *, clustername: str, instanceid: str) -> Sequence[LogRecord]:
        """By a join of the ledger with the archive's key; no JSON is read."""
        scope = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.reading() as connection:
            return [_record(row) for row in connection.execute(_LOGS["unnamed"], scope)]

    def backfill_references(self, grant: LeaseGrant, *, batch: int = 500) -> int:
        """In the last batch, references of rows that Argo expired and we never proved go, too."""
        with self._sessions.fenced(grant) as connection:
            left = connection.execute(_LOGS["count_unread"]).fetchone() or {}
            if left["unread"]:
                connection.execute(_LOGS["backfill"], {"batch": batch})
            else:
                connection.execute(_LOGS["forget_unknown"])
        return int(left["unread"])


def _record(row: dict[str, Any]) -> LogRecord:
    row["state"], row["source"] = LogState(row["state"]), LogSource(row["source"])
    return LogRecord(**row)
