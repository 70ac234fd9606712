"""Snapshots, plans, deletions and counts of the fake archive."""

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from argo_retention.core.ledger import Deletion, LeaseGrant, PlanRecord, SnapshotRecord
from argo_retention_tests.fakes.archive_tables import FakeTables


class FakeLedger(FakeTables):
    def record_snapshot(self, grant: LeaseGrant, record: SnapshotRecord) -> None:
        with self._fenced("record_snapshot", grant, record=record):
            key = grant.clustername, grant.instanceid, record.run_id
            self.snapshots[key] = replace(record, taken_at=record.taken_at or self.now)

    def last_snapshot(self, *, clustername: str, instanceid: str) -> SnapshotRecord | None:
        self._meet("last_snapshot", {"clustername": clustername})
        return _latest(
            record
            for (cluster, instance, _), record in self.snapshots.items()
            if (cluster, instance) == (clustername, instanceid) and record.accepted
        )

    def snapshot_of_run(self, *, clustername: str, run_id: str) -> SnapshotRecord | None:
        self._meet("snapshot_of_run", {"clustername": clustername})
        return _latest(
            record
            for (cluster, _, run), record in self.snapshots.items()
            if (cluster, run) == (clustername, run_id)
        )

    def record_plan(self, grant: LeaseGrant, record: PlanRecord) -> None:
        with self._fenced("record_plan", grant, record=record):
            scope = grant.clustername, grant.instanceid
            for key, plan in self.plans.items():
                if key[:2] == scope and plan.kind == record.kind and plan.state == "made":
                    self.plans[key] = replace(plan, state="superseded")
            before = self.plans.get((*scope, record.plan_id))
            applied = before is not None and before.state == "applied"
            self.plans[(*scope, record.plan_id)] = replace(
                record,
                made_at=record.made_at or self.now,
                state="applied" if applied else record.state,
            )

    def plan_record(
        self,
        *,
        clustername: str,
        kind: str,
        plan_id: str | None = None,
        root_run: str | None = None,
    ) -> PlanRecord | None:
        self._meet("plan_record", {"clustername": clustername, "kind": kind})
        found = [
            plan
            for (cluster, _, _), plan in self.plans.items()
            if (cluster, plan.kind) == (clustername, kind)
            and (plan.plan_id == plan_id if plan_id else root_run in {None, plan.root_run})
        ]
        return max(found, key=lambda plan: plan.made_at or datetime.max, default=None)

    def claim_plan(self, grant: LeaseGrant, plan_id: str) -> bool:
        with self._fenced("claim_plan", grant, plan_id=plan_id):
            key = grant.clustername, grant.instanceid, plan_id
            plan = self.plans.get(key)
            if plan is None or plan.state != "made":
                return False
            self.plans[key] = replace(plan, state="applied")
            return True

    def record_deletions(self, grant: LeaseGrant, deletions: Sequence[Deletion]) -> None:
        with self._fenced("record_deletions", grant, deletions=deletions):
            for deletion in deletions:
                if deletion.clustername != grant.clustername:
                    raise ValueError("deletions of a cluster that the lease is not for")
                key = deletion.clustername, deletion.uid, deletion.plan_id
                entry = structs.replace(deletion, at=deletion.at or self.now)
                self.deletions[key] = grant.instanceid, entry

    def open_deletions(self, *, clustername: str, instanceid: str) -> Sequence[Deletion]:
        self._meet("open_deletions", {"clustername": clustername})
        found = [
            deletion
            for deletion in self._deletions(clustername, instanceid)
            if deletion.outcome in {"intended", "terminating"}
        ]
        return sorted(found, key=lambda deletion: (deletion.at, deletion.uid))

    def deletions_since(self, *, clustername: str, instanceid: str, since: datetime) -> int:
        self._meet("deletions_since", {"clustername": clustername})
        return len(
            {
                deletion.uid
                for deletion in self._deletions(clustername, instanceid)
                if deletion.outcome in {"deleted", "terminating"}
                and deletion.at is not None
                and deletion.at >= since
            }
        )

    def forget(
        self, grant: LeaseGrant, *, traces_before: datetime | None, ledger_before: datetime | None
    ) -> Mapping[str, int]:
        scope = grant.clustername, grant.instanceid
        with self._fenced(
            "forget", grant, traces_before=traces_before, ledger_before=ledger_before
        ):
            traces = traces_before or datetime.min.replace(tzinfo=UTC)
            ledger = ledger_before or datetime.min.replace(tzinfo=UTC)
            snapshots = {k: s for k, s in self.snapshots.items() if k[:2] == scope}
            newest = _latest(s for s in snapshots.values() if s.accepted)
            plans = {k: p for k, p in self.plans.items() if k[:2] == scope}
            last = {p.kind: p for p in sorted(plans.values(), key=lambda p: p.made_at or traces)}
            doomed: dict[str, tuple[dict[Any, Any], list[Any]]] = {
                "snapshots": (
                    self.snapshots,
                    [k for k, s in snapshots.items() if s.taken_at < traces and s is not newest],
                ),
                "plans": (
                    self.plans,
                    [k for k, p in plans.items() if p.made_at < traces and p is not last[p.kind]],
                ),
                "deletions": (
                    self.deletions,
                    [
                        key
                        for key, (instance, d) in self.deletions.items()
                        if (d.clustername, instance) == scope
                        and d.outcome not in {"intended", "terminating"}
                        and d.at < ledger
                    ],
                ),
                "units": (
                    self.units,
                    [
                        key
                        for key, (instance, u) in self.units.items()
                        if (u.clustername, instance) == scope
                        and u.stage == "done"
                        and u.at < ledger
                    ],
                ),
            }
            for uid in [key[1] for key in doomed["units"][1]]:
                for key in [k for k in self.logs if k[:2] == (grant.clustername, uid)]:
                    del self.logs[key]
            for table, keys in doomed.values():
                for key in keys:
                    del table[key]
            return {what: len(keys) for what, (_, keys) in doomed.items()}

    def explained(self, *, clustername: str, uids: Sequence[str]) -> AbstractSet[str]:
        self._meet("explained", {"clustername": clustername})
        left = {"intended", "terminating", "deleted", "gone", "vanished"}
        return {
            deletion.uid
            for _, deletion in self.deletions.values()
            if deletion.clustername == clustername
            and deletion.uid in set(uids)
            and deletion.outcome in left
        }

    def history(self, *, clustername: str, uid: str) -> Mapping[str, Any]:
        key = clustername, uid
        row = self.argo_rows.get(key)
        columns = ("instanceid", "namespace", "name", "phase", "startedat", "finishedat")
        proofs = list(self.proven_versions(clustername=clustername, uids=[uid]))
        return {
            "row": None if row is None else {name: getattr(row, name) for name in columns},
            "proof": proofs[0] if proofs else None,
            "logs": self.log_records(clustername=clustername, uids=[uid]),
            "deletions": sorted(
                (d for _, d in self.deletions.values() if (d.clustername, d.uid) == key),
                key=lambda deletion: deletion.at,
            ),
            "expiry": self.units[key][1] if key in self.units else None,
        }

    def find_uids(self, *, clustername: str, namespace: str, name: str) -> Sequence[str]:
        wanted = clustername, namespace, name
        known: dict[str, datetime] = {}

        def see(uid: str, names: tuple[str, str, str], at: datetime | None) -> None:
            if names == wanted and at is not None:
                at = at.replace(tzinfo=None)
                known[uid] = min(at, known.get(uid, at))

        for row in self.argo_rows.values():
            see(row.uid, (row.clustername, row.namespace, row.name), row.startedat)
        for (cluster, uid), proof in self.proofs.items():
            at = proof.version.facts.finished_at or proof.version.proven_at
            see(uid, (cluster, proof.namespace, proof.name), at)
        for log in self.logs.values():
            see(log.uid, (log.clustername, log.namespace, log.workflow), log.saved_at)
        for _, entry in (*self.deletions.values(), *self.units.values()):
            see(entry.uid, (entry.clustername, entry.namespace, entry.name), entry.at)
        return [uid for uid, _ in sorted(known.items(), key=lambda i: (-i[1].timestamp(), i[0]))]

    def deleted_by_rule(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        self._meet("deleted_by_rule", {"clustername": clustername})
        left = {"deleted", "vanished"}
        return Counter(
            d.rule for d in self._deletions(clustername, instanceid) if d.outcome in left
        )

    def sizes(self, *, clustername: str) -> Mapping[str, int]:
        self._meet("sizes", {"clustername": clustername})
        done = {key for key, (_, unit) in self.units.items() if unit.stage == "done"}
        logs = sum(
            log.size or 0
            for log in self.logs.values()
            if log.clustername == clustername
            and log.state.value == "stored"
            and (log.clustername, log.uid) not in done
        )
        return {"logs": logs, "archive": 8192 * (1 + len(self.argo_rows))}

    def counts(self, *, clustername: str, instanceid: str) -> Mapping[str, int]:
        self._meet("counts", {"clustername": clustername})
        scope = clustername, instanceid
        rows = [r for r in self.argo_rows.values() if (r.clustername, r.instanceid) == scope]
        live = [
            proof.version.expired_while_live
            for (cluster, _), proof in self.proofs.items()
            if (cluster, proof.instanceid) == scope
        ]
        stages = [
            unit.stage
            for instance, unit in self.units.values()
            if (unit.clustername, instance) == scope
        ]
        done = {key for key, (_, unit) in self.units.items() if unit.stage == "done"}
        references = [refs for (cluster, _), refs in self.references_by_row.items()]
        counted = Counter(
            {
                "rows": len(rows),
                "labels": sum(len(row.labels) for row in rows),
                "proven": live.count(False),
                "references": sum(
                    ref.clustername == clustername for refs in references for ref in refs
                ),
                "expired": stages.count("done"),
                "expiry_open": stages.count("intended") + stages.count("objects_done"),
                "expired_while_live": live.count(True),
            }
        )
        for log in self.logs.values():
            if log.clustername == clustername and (log.clustername, log.uid) not in done:
                counted[f"logs_{log.state.value}"] += 1
        for deletion in self._deletions(*scope):
            counted[f"deletions_{deletion.outcome.split(':')[0]}"] += 1
        return dict(counted)

    def _deletions(self, clustername: str, instanceid: str) -> list[Deletion]:
        return [
            deletion
            for instance, deletion in self.deletions.values()
            if (deletion.clustername, instance) == (clustername, instanceid)
        ]


def _latest(records: Any) -> SnapshotRecord | None:
    return max(records, key=lambda record: record.taken_at, default=None)
