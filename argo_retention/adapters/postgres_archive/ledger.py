"""Snapshots, plans, deletions, and the life of one workflow."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from datetime import datetime
from typing import Any

import msgspec

from argo_retention.adapters.postgres_archive.connection import PostgresPart, grant_parameters
from argo_retention.adapters.postgres_archive.expiry import unit_of
from argo_retention.adapters.postgres_archive.statements import statements
from argo_retention.core.ledger import Deletion, LeaseGrant, PlanRecord, SnapshotRecord

FORGOTTEN_AT_ONCE = 10_000

_LEDGER = statements("ledger")
_EXPIRY = statements("expiry")


class PostgresLedger(PostgresPart):
    """Tables `snapshots`, `plans` and `deletions`."""

    def record_snapshot(self, grant: LeaseGrant, record: SnapshotRecord) -> None:
        """The same run's snapshot is replaced."""
        with self._sessions.fenced(grant) as connection:
            connection.execute(_LEDGER["record_snapshot"], {**asdict(record), **_scope(grant)})

    def last_snapshot(self, *, clustername: str, instanceid: str) -> SnapshotRecord | None:
        """By the database's clock."""
        row = self._one("last_snapshot", clustername=clustername, instanceid=instanceid)
        return None if row is None else SnapshotRecord(**row)

    def snapshot_of_run(self, *, clustername: str, run_id: str) -> SnapshotRecord | None:
        """Accepted or not."""
        row = self._one("snapshot_of_run", clustername=clustername, run_id=run_id)
        return None if row is None else SnapshotRecord(**row)

    def record_plan(self, grant: LeaseGrant, record: PlanRecord) -> None:
        """The same plan made again is usable again, unless it was applied."""
        parameters = {**asdict(record), **_scope(grant)}
        with self._sessions.fenced(grant) as connection:
            connection.execute(_LEDGER["supersede_plans"], parameters)
            connection.execute(_LEDGER["record_plan"], parameters)

    def plan_record(
        self,
        *,
        clustername: str,
        kind: str,
        plan_id: str | None = None,
        root_run: str | None = None,
    ) -> PlanRecord | None:
        """The last one, where there are several."""
        row = self._one(
            "plan", clustername=clustername, kind=kind, plan_id=plan_id, root_run=root_run
        )
        return None if row is None else PlanRecord(**row)

    def claim_plan(self, grant: LeaseGrant, plan_id: str) -> bool:
        """One caller gets True."""
        with self._sessions.fenced(grant) as connection:
            claimed = connection.execute(
                _LEDGER["claim_plan"], {**grant_parameters(grant), "plan_id": plan_id}
            ).fetchone()
        return claimed is not None

    def record_deletions(self, grant: LeaseGrant, deletions: Sequence[Deletion]) -> None:
        """One transaction."""
        if not deletions:
            return
        if any(deletion.clustername != grant.clustername for deletion in deletions):
            raise ValueError("deletions of a cluster that the lease is not for")
        parameters = {**_scope(grant), "records": msgspec.json.encode(deletions).decode()}
        with self._sessions.fenced(grant) as connection:
            connection.execute(_LEDGER["record_deletions"], parameters)

    def open_deletions(self, *, clustername: str, instanceid: str) -> Sequence[Deletion]:
        """Oldest first."""
        parameters = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.transaction() as connection:
            found = connection.execute(_LEDGER["open_deletions"], parameters)
            return [Deletion(**row) for row in found]

    def deletions_since(self, *, clustername: str, instanceid: str, since: datetime) -> int:
        """Deleted, or only held by a finalizer; each workflow once."""
        row = self._one(
            "deletions_since", clustername=clustername, instanceid=instanceid, since=since
        )
        return int((row or {})["deletions"])

    def forget(
        self, grant: LeaseGrant, *, traces_before: datetime | None, ledger_before: datetime | None
    ) -> Mapping[str, int]:
        """One transaction."""
        wanted = {
            "snapshots": traces_before,
            "plans": traces_before,
            "deletions": ledger_before,
            "units": ledger_before,
        }
        forgotten = dict.fromkeys(wanted, 0)
        with self._sessions.fenced(grant) as connection:
            for what, before in wanted.items():
                if before is not None:
                    parameters = {**_scope(grant), "before": before, "most": FORGOTTEN_AT_ONCE}
                    forgotten[what] = connection.execute(
                        _LEDGER[f"forget_{what}"], parameters
                    ).rowcount
        return forgotten

    def explained(self, *, clustername: str, uids: Sequence[str]) -> AbstractSet[str]:
        """By us, begun by us, met as gone by us, or noted as vanished."""
        with self._sessions.reading() as connection:
            rows = connection.execute(
                _LEDGER["explained"], {"clustername": clustername, "uids": list(uids)}
            )
            return {row["uid"] for row in rows}

    def history(self, *, clustername: str, uid: str) -> Mapping[str, Any]:
        """Keys: row (columns or None), proof (ProvenVersion or None), logs (LogRecord), deletions (Deletion),
        expiry (ExpiryUnit or None; once it is done, the logs are what was there before)."""
        scope = {"clustername": clustername, "uid": uid}
        proofs = list(self.proven_versions(clustername=clustername, uids=[uid]))
        with self._sessions.transaction() as connection:
            unit = connection.execute(_EXPIRY["unit_of"], scope).fetchone()
            deletions = connection.execute(_LEDGER["deletions_of"], scope).fetchall()
        return {
            "row": self._one("row_of", **scope),
            "proof": proofs[0] if proofs else None,
            "logs": self.log_records(clustername=clustername, uids=[uid]),
            "deletions": [Deletion(**row) for row in deletions],
            "expiry": None if unit is None else unit_of(unit),
        }

    def find_uids(self, *, clustername: str, namespace: str, name: str) -> Sequence[str]:
        """From rows, proofs, logs, deletions and expiry."""
        parameters = {"clustername": clustername, "namespace": namespace, "name": name}
        with self._sessions.transaction() as connection:
            return [row["uid"] for row in connection.execute(_LEDGER["find_uids"], parameters)]

    def deleted_by_rule(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        """One statement."""
        parameters = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.transaction() as connection:
            found = connection.execute(_LEDGER["deleted_by_rule"], parameters)
            return {row["rule"]: row["number"] for row in found}

    def sizes(self, *, clustername: str) -> Mapping[str, int]:
        """One statement."""
        return {k: int(v) for k, v in (self._one("sizes", clustername=clustername) or {}).items()}

    def counts(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        """rows, labels, proven, references, expired, expiry_open, expired_while_live, and logs_<state>,
        deletions_<outcome> where there are any."""
        parameters = {"clustername": clustername, "instanceid": instanceid}
        with self._sessions.transaction() as connection:
            found = connection.execute(_LEDGER["counts"], parameters)
            return {row["what"]: row["number"] for row in found}

    def _one(self, statement: str, **parameters: Any) -> Mapping[str, Any] | None:
        with self._sessions.transaction() as connection:
            return connection.execute(_LEDGER[statement], parameters).fetchone()


def _scope(grant: LeaseGrant) -> dict[str, str]:
    return {"clustername": grant.clustername, "instanceid": grant.instanceid}
