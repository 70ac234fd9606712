"""Expiry: candidates, units and their stages, and the deletion of rows with all that names them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from argo_retention.adapters.postgres_archive.connection import PostgresPart
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core import labels
from argo_retention.core.ledger import ExpiryCandidate, ExpiryUnit, LeaseGrant
from argo_retention.core.manifests import parse_time

_EXPIRY = statements("expiry")

#: Rows of one transaction: its locks are held for about 40 ms, and 200 ms is the most that is allowed.
UNITS_A_TRANSACTION = 500
CANDIDATES_A_FETCH = 1000

_TEMPLATE_LABELS = (
    labels.WORKFLOW_TEMPLATE,
    labels.CLUSTER_WORKFLOW_TEMPLATE,
    labels.CRON_WORKFLOW,
)


class PostgresExpiry(PostgresPart):
    """Table `expiry_units`, and the rows of Argo that go."""

    def expiry_candidates(
        self, *, clustername: str, instanceid: str, namespace: str | None, finished_before: datetime
    ) -> Iterator[Sequence[ExpiryCandidate]]:
        """Streamed by a cursor of the server."""
        parameters = {
            "clustername": clustername,
            "instanceid": instanceid,
            "namespace": namespace,
            "finished_before": finished_before.astimezone(UTC).replace(tzinfo=None),
            "hold": labels.HOLD,
            "archive_ttl": labels.ARCHIVE_TTL,
        }
        with (
            self._sessions.transaction() as connection,
            connection.cursor(name="expiry_candidates") as cursor,
        ):
            cursor.execute(_EXPIRY["candidates"], parameters)
            while found := cursor.fetchmany(CANDIDATES_A_FETCH):
                yield [_candidate(row) for row in found]

    def vanished(
        self, *, clustername: str, instanceid: str, namespace: str | None
    ) -> Sequence[ExpiryUnit]:
        """`at` is when the unit was recorded as vanished, None before that; begun units are not these."""
        parameters = {
            "clustername": clustername,
            "instanceid": instanceid,
            "namespace": namespace,
        }
        with self._sessions.reading() as connection:
            return [unit_of(row) for row in connection.execute(_EXPIRY["vanished"], parameters)]

    def record_units(self, grant: LeaseGrant, units: Sequence[ExpiryUnit]) -> None:
        """`at` stays while a unit stays in its stage."""
        if not units:
            return
        _check(grant, units)
        parameters = {
            "clustername": grant.clustername,
            "instanceid": grant.instanceid,
            "records": msgspec.json.encode(units).decode(),
        }
        with self._sessions.fenced(grant) as connection:
            connection.execute(_EXPIRY["record"], parameters)

    def row_digests(self, *, clustername: str, uids: Sequence[str]) -> Mapping[str, str]:
        """Computed only for versions that were not read before."""
        parameters = {"clustername": clustername, "uids": list(uids)}
        with self._sessions.reading() as connection:
            found = connection.execute(_EXPIRY["digests"], parameters)
            return {row["uid"]: row["digest"] for row in found}

    def open_units(self, *, clustername: str, instanceid: str) -> Sequence[ExpiryUnit]:
        """Oldest first."""
        parameters = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.reading() as connection:
            return [unit_of(row) for row in connection.execute(_EXPIRY["open"], parameters)]

    def expire_rows(
        self, grant: LeaseGrant, units: Sequence[ExpiryUnit], *, live_versions: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Small transactions; several threads may work on different units at once."""
        _check(grant, units)
        gone: dict[str, int] = {}
        for start in range(0, len(units), UNITS_A_TRANSACTION):
            part = units[start : start + UNITS_A_TRANSACTION]
            parameters = {
                "clustername": grant.clustername,
                "instanceid": grant.instanceid,
                # psycopg turns lists into arrays item by item, in Python.
                "records": msgspec.json.encode(part).decode(),
                "live_uids": [unit.uid for unit in part if unit.uid in live_versions],
            }
            with self._sessions.fenced(grant) as connection:
                answer = connection.execute(_EXPIRY["expire"], parameters)
                found = {row["uid"]: row["bytes"] for row in answer}
                live = {uid: live_versions[uid] for uid in found if uid in live_versions}
                if live:
                    scope = {"clustername": grant.clustername, "uids": list(live)}
                    versions = {**scope, "versions": list(live.values())}
                    connection.execute(_EXPIRY["remember"], versions)
                    connection.execute(_EXPIRY["lose_logs"], scope)
            gone |= found
        return gone


def _check(grant: LeaseGrant, units: Sequence[ExpiryUnit]) -> None:
    if any(unit.clustername != grant.clustername for unit in units):
        raise ValueError("expiry units of a cluster that the lease is not for")


def unit_of(row: Mapping[str, Any]) -> ExpiryUnit:
    """A row of `expiry_units`."""
    return ExpiryUnit(**{**row, "kept_objects": tuple(row["kept_objects"])})


def _candidate(row: Mapping[str, Any]) -> ExpiryCandidate:
    template = next((row["labels"][key] for key in _TEMPLATE_LABELS if row["labels"].get(key)), "")
    finished_at = parse_time(row["finished_at"], what=f"finishedAt of archived {row['uid']}")
    return ExpiryCandidate(**{**row, "finished_at": finished_at, "template": template})
