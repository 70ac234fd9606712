"""Expiry of the fake archive."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
from msgspec import structs

from argo_retention.core import labels
from argo_retention.core.ledger import ExpiryCandidate, ExpiryUnit, LeaseGrant
from argo_retention.core.logs import LogState
from argo_retention.core.manifests import parse_time, section
from argo_retention_tests.fakes.archive_tables import FakeTables, digest_of


class FakeExpiry(FakeTables):
    def expiry_candidates(
        self, *, clustername: str, instanceid: str, namespace: str | None, finished_before: datetime
    ) -> Iterator[Sequence[ExpiryCandidate]]:
        self._meet("expiry_candidates", {"clustername": clustername})
        limit = finished_before.astimezone(UTC).replace(tzinfo=None)
        with self._lock:
            found = [
                row
                for row in self.argo_rows.values()
                if row.clustername == clustername
                and row.instanceid == instanceid
                and namespace in {None, row.namespace}
                and row.finishedat < limit
            ]
        found.sort(key=lambda row: (row.finishedat, row.uid))
        for number, row in enumerate(found, 1):
            manifest = msgspec.json.decode(row.workflow)
            metadata = section(manifest, "metadata")
            annotations, named = section(metadata, "annotations"), section(metadata, "labels")
            template = (labels.WORKFLOW_TEMPLATE, labels.CLUSTER_WORKFLOW_TEMPLATE)
            yield [
                ExpiryCandidate(
                    uid=row.uid,
                    namespace=row.namespace,
                    name=row.name,
                    phase=row.phase,
                    finished_at=parse_time(
                        section(manifest, "status").get("finishedAt"), what="finishedAt"
                    ),
                    digest=digest_of(row.workflow),
                    labels=dict(named),
                    template=next(
                        (named[k] for k in (*template, labels.CRON_WORKFLOW) if named.get(k)), ""
                    ),
                    hold=annotations.get(labels.HOLD, ""),
                    archive_ttl=annotations.get(labels.ARCHIVE_TTL, ""),
                )
            ]
            self._meet("expiry_candidates", {"clustername": clustername}, after=number)

    def vanished(
        self, *, clustername: str, instanceid: str, namespace: str | None
    ) -> Sequence[ExpiryUnit]:
        self._meet("vanished", {"clustername": clustername})
        found = []
        with self._lock:
            for key, proof in sorted(self.proofs.items()):
                _, unit = self.units.get(key, ("", None))
                stored = any(
                    (log.clustername, log.uid) == key and log.state is LogState.STORED
                    for log in self.logs.values()
                )
                if (
                    key[0] != clustername
                    or proof.instanceid != instanceid
                    or namespace not in {None, proof.namespace}
                    or key in self.argo_rows
                    or proof.version.expired_while_live
                    or not stored
                    or (unit is not None and unit.stage in {"intended", "objects_done"})
                ):
                    continue
                if unit is not None and unit.stage == "row_vanished":
                    found.append(structs.replace(unit, digest="", kept_objects=()))
                    continue
                found.append(
                    ExpiryUnit(
                        clustername=clustername,
                        uid=key[1],
                        namespace=proof.namespace,
                        name=proof.name,
                        stage="row_vanished",
                        reason="the archive row was removed by Argo or by a person",
                        plan_id="",
                        run_id="",
                        digest="",
                    )
                )
        return found

    def record_units(self, grant: LeaseGrant, units: Sequence[ExpiryUnit]) -> None:
        with self._fenced("record_units", grant, units=units):
            for unit in units:
                if unit.clustername != grant.clustername:
                    raise ValueError("expiry units of a cluster that the lease is not for")
                key = unit.clustername, unit.uid
                _, before = self.units.get(key, ("", None))
                stays = before is not None and before.stage == unit.stage
                at = before.at if before is not None and stays else unit.at or self.now
                self.units[key] = (
                    grant.instanceid,
                    structs.replace(unit, at=at, kept_objects=tuple(unit.kept_objects)),
                )

    def row_digests(self, *, clustername: str, uids: Sequence[str]) -> Mapping[str, str]:
        self._meet("row_digests", {"clustername": clustername})
        with self._lock:
            rows = {uid: self.argo_rows.get((clustername, uid)) for uid in uids}
        return {uid: digest_of(row.workflow) for uid, row in rows.items() if row is not None}

    def open_units(self, *, clustername: str, instanceid: str) -> Sequence[ExpiryUnit]:
        self._meet("open_units", {"clustername": clustername})
        with self._lock:
            found = [
                unit
                for instance, unit in self.units.values()
                if unit.clustername == clustername
                and instance == instanceid
                and unit.stage in {"intended", "objects_done"}
            ]
        return sorted(found, key=lambda unit: (unit.at, unit.uid))

    def expire_rows(
        self, grant: LeaseGrant, units: Sequence[ExpiryUnit], *, live_versions: Mapping[str, int]
    ) -> Mapping[str, int]:
        gone = {}
        with self._fenced("expire_rows", grant, units=units):
            for unit in units:
                if unit.clustername != grant.clustername:
                    raise ValueError("expiry units of a cluster that the lease is not for")
                key = unit.clustername, unit.uid
                row = self.argo_rows.get(key)
                if row is not None and (
                    row.instanceid != grant.instanceid
                    or digest_of(row.workflow) != unit.digest
                    or self._is_held(key)
                ):
                    continue
                self._finish(key, grant.instanceid, unit)
                self._forget(key, live_versions.get(unit.uid))
                gone[unit.uid] = 0 if row is None else len(row.workflow)
        return gone

    def _finish(self, key: tuple[str, str], instanceid: str, unit: ExpiryUnit) -> None:
        """Done, with what was recorded when it began; else as it is given."""
        instance, begun = self.units.get(key, (instanceid, structs.replace(unit, kept_objects=())))
        self.units[key] = instance, structs.replace(begun, stage="done", at=self.now)

    def _forget(self, key: tuple[str, str], live_version: int | None) -> None:
        self.argo_rows.pop(key, None)
        self.rows_read.pop(key, None)
        self.references_by_row.pop(key, None)
        if live_version is None:
            self.proofs.pop(key, None)
            return
        if key in self.proofs:
            proof = self.proofs[key]
            version = replace(
                proof.version,
                expired_while_live=True,
                resource_version=live_version,
                live_version=0,
            )
            self.proofs[key] = replace(proof, version=version)
        for identity, log in self.logs.items():
            if identity[:2] == key and log.state is LogState.STORED:
                reason = "expired together with its archive row"
                self.logs[identity] = structs.replace(
                    log, state=LogState.LOST, reason=reason, bucket="", key=""
                )
