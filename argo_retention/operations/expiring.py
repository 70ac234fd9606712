"""Carrying out an expiry plan: row, labels and log objects go as one unit, in recorded stages.

Stages of a unit: `intended` (committed before anything is touched), `objects_done` (each log object is gone
or stays for a named reason), `done` (row, labels and references are gone). Objects go first and the row last,
since the row is what points at them; killed at any point, the next run takes up the open units.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from argo_retention.core.expiry_planning import ExpiryDecision
from argo_retention.core.ledger import ExpiryUnit, LeaseGrant, PlanRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.log_guards import object_guard
from argo_retention.core.logs import LogReference, LogState
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion
from argo_retention.errors import ArgoRetentionError, ObjectStoreError, PlanRefusedError
from argo_retention.operations.expiry_plans import expiry_plan_now, read_expiry_plan
from argo_retention.operations.guarding import check_sound
from argo_retention.operations.log_tasks import METADATA_UID
from argo_retention.operations.planning import claimable_plan
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import list_live, refusal_of_counts

BATCH = 500
BATCHES_AT_ONCE = 2
OBJECTS_IN_FLIGHT = 32


@dataclass(slots=True, kw_only=True)
class Expired:
    """What became of a plan's removals; filled by several threads under a lock."""

    plan: PlanRecord
    applied: bool
    planned: int = 0
    units_done: int = 0  # row, labels and references gone
    resumed: int = 0  # of these, units that an earlier run had begun
    not_now: int = 0  # planned, but a fresh look keeps them
    objects: Counter[str] = field(default_factory=Counter)  # deleted, gone, kept, failed
    kept_objects: list[str] = field(default_factory=list)  # "bucket/key: why"
    failed: list[str] = field(
        default_factory=list
    )  # "namespace/name: why"; taken up again by the next run


def expire(site: Site, grant: LeaseGrant, *, plan_id: str | None = None) -> Expired:
    """Expire what the plan and a fresh look both remove, and units that a crash left open.

    Raises PlanRefusedError, DatabaseError, ClockSkewError, ListIncompleteError, ClusterError or
    ObjectStoreError before anything is touched. Single failures are named in the result.
    """
    check_sound(site, deletes=True)
    record = claimable_plan(site, kind="expiry", plan_id=plan_id)
    planned = read_expiry_plan(site, record)
    live = list_live(site)
    refusal = refusal_of_counts(site, len(live))
    if refusal:
        raise PlanRefusedError(refusal)
    installation = site.installation
    fresh = expiry_plan_now(site, live, vanished=_noticed(site))
    if fresh.refusal:
        raise PlanRefusedError(fresh.refusal)
    still = {(d.uid, d.digest): d for d in fresh.removals}
    going = [still[d.uid, d.digest] for d in planned.removals if (d.uid, d.digest) in still]
    result = Expired(plan=record, applied=installation.applies, planned=len(planned.removals))
    result.not_now = result.planned - len(going)
    if not installation.applies:
        return result
    if not site.archive.claim_plan(grant, record.plan_id):
        raise PlanRefusedError(
            f"Plan {record.plan_id} was used or superseded a moment ago. Nothing was deleted."
        )
    expirer = _Expirer(site, grant, live, result)
    units = [_unit(site, record, decision) for decision in going]
    resumed = _resumable(site, units, live)
    result.resumed = len(resumed)
    versions = {d.uid: d.live_version for d in going if d.live_version is not None}
    expirer.run([*resumed, *units], versions)
    return result


def _noticed(site: Site) -> Sequence[ExpiryUnit]:
    """Vanished rows whose grace has begun."""
    installation = site.installation
    vanished = site.archive.vanished(
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        namespace=installation.managed_namespace,
    )
    return [unit for unit in vanished if unit.at is not None]


def _unit(site: Site, record: PlanRecord, decision: ExpiryDecision) -> ExpiryUnit:
    return ExpiryUnit(
        clustername=site.installation.clustername,
        uid=decision.uid,
        namespace=decision.namespace,
        name=decision.name,
        stage="intended",
        reason=decision.sentence,
        plan_id=record.plan_id,
        run_id=site.run_id,
        digest=decision.digest,
    )


def _resumable(
    site: Site, units: Sequence[ExpiryUnit], live: Sequence[LiveWorkflow]
) -> list[ExpiryUnit]:
    """Open units of earlier runs that this plan does not speak of and whose workflow is not live."""
    installation = site.installation
    planned = {unit.uid for unit in units}
    present = {workflow.uid for workflow in live}
    keep_live = not installation.policy.expire_while_live
    return [
        unit
        for unit in site.archive.open_units(
            clustername=installation.clustername, instanceid=installation.instanceid
        )
        if unit.uid not in planned and not (keep_live and unit.uid in present)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Object:
    """One log object that a unit names; `etag` is "" where nobody recorded one yet."""

    unit: ExpiryUnit
    bucket: str
    key: str
    etag: str


class _Expirer:
    """Batches of units; the log objects of a batch go side by side, its rows in one small transaction."""

    def __init__(
        self, site: Site, grant: LeaseGrant, live: Sequence[LiveWorkflow], result: Expired
    ) -> None:
        self._site = site
        self._grant = grant
        self._result = result
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._unproven = _unproven_live(site, live)
        self._committed: set[str] = set()

    def run(self, units: Sequence[ExpiryUnit], live_versions: Mapping[str, int]) -> None:
        """Expire all units; a batch that fails leaves its units open for the next run."""
        while self._site.archive.backfill_references(self._grant):
            self._site.progress("references", 0, None)
        batches = [units[i : i + BATCH] for i in range(0, len(units), BATCH)]
        # Two units that share an object must both be known as going before either is judged, or each
        # would leave the object to the other.
        objects = [self._commit(batch) for batch in batches]
        with (
            ThreadPoolExecutor(OBJECTS_IN_FLIGHT, thread_name_prefix="object") as pool,
            ThreadPoolExecutor(BATCHES_AT_ONCE, thread_name_prefix="expire") as workers,
        ):
            futures = [
                workers.submit(self._batch, batch, named, pool, live_versions, len(units))
                for batch, named in zip(batches, objects, strict=True)
            ]
            try:
                for future in futures:
                    future.result()
            finally:
                self._stop.set()
                for future in futures:
                    future.cancel()

    def _commit(self, units: Sequence[ExpiryUnit]) -> list[_Object]:
        """Record the intent of the units that name objects; these objects."""
        archive = self._site.archive
        clustername = self._site.installation.clustername
        by_uid = {unit.uid: unit for unit in units}
        uids = list(by_uid)
        etags = {
            (record.uid, record.bucket, record.key): record.etag or ""
            for record in archive.log_records(clustername=clustername, uids=uids)
            if record.state in {LogState.STORED, LogState.INTENDED} and record.key
        }
        named = {
            (reference.uid, reference.bucket, reference.key): ""
            for reference in archive.references(clustername=clustername, uids=uids)
        }
        objects = [
            _Object(unit=by_uid[uid], bucket=bucket, key=key, etag=etag)
            for (uid, bucket, key), etag in {**named, **etags}.items()
        ]
        begun = {o.unit.uid: o.unit for o in objects if o.unit.stage != "objects_done"}
        if begun:
            archive.record_units(self._grant, list(begun.values()))
        self._committed.update(o.unit.uid for o in objects)
        return [o for o in objects if o.unit.stage != "objects_done"]

    def _batch(
        self,
        units: Sequence[ExpiryUnit],
        objects: Sequence[_Object],
        pool: ThreadPoolExecutor,
        live_versions: Mapping[str, int],
        total: int,
    ) -> None:
        if self._stop.is_set():
            return
        ready = self._delete_objects(units, objects, pool) if objects else list(units)
        gone = set(self._site.archive.expire_rows(self._grant, ready, live_versions=live_versions))
        with self._lock:
            self._result.units_done += len(gone)
            self._result.failed += [
                f"{unit.namespace}/{unit.name}: its row changed or is in use; the next run looks again"
                for unit in ready
                if unit.uid not in gone
            ]
            done = self._result.units_done
        self._site.progress("expire", done, total)

    def _delete_objects(
        self,
        units: Sequence[ExpiryUnit],
        objects: Sequence[_Object],
        pool: ThreadPoolExecutor,
    ) -> list[ExpiryUnit]:
        """Delete objects that nobody else needs; returns the units that have no failed object."""
        references = [
            LogReference(bucket=o.bucket, key=o.key, clustername=o.unit.clustername, uid=o.unit.uid)
            for o in objects
        ]
        others = self._site.archive.references_of_others(
            clustername=self._site.installation.clustername, objects=references
        )
        futures = [
            pool.submit(self._delete_object, o, others.get((o.bucket, o.key), ())) for o in objects
        ]
        kept: dict[str, list[str]] = defaultdict(list)
        failed: set[str] = set()
        for o, future in zip(objects, futures, strict=True):
            outcome, why = future.result()
            with self._lock:
                self._result.objects[outcome] += 1
                if outcome == "kept":
                    kept[o.unit.uid].append(f"{o.bucket}/{o.key}: {why}")
                    self._result.kept_objects.append(f"{o.bucket}/{o.key}: {why}")
                elif outcome == "failed":
                    failed.add(o.unit.uid)
                    self._result.failed.append(f"{o.unit.namespace}/{o.unit.name}: {why}")
        named = {o.unit.uid for o in objects}
        finished = [
            replace(unit, stage="objects_done", kept_objects=tuple(kept[unit.uid]))
            for unit in units
            if unit.uid in named and unit.uid not in failed
        ]
        if finished:
            self._site.archive.record_units(self._grant, finished)
        return [*finished, *(unit for unit in units if unit.uid not in named)]

    def _delete_object(self, o: _Object, others: Sequence[str]) -> tuple[str, str]:
        """(outcome, why) of one object; never raises but on an interruption."""
        if self._stop.is_set():
            return "failed", "the run was stopped"
        if not o.bucket:
            return "kept", "its row does not tell the bucket (a template has a location of its own)"
        try:
            store = self._store(o)
            head = store.head(o.key)
            if head is None:
                return ObjectDeletion.GONE.value, ""
            etag = o.etag or head.etag
            guard = object_guard(
                o.key,
                uid=o.unit.uid,
                others=[uid for uid in others if uid not in self._committed],
                live_namesakes=self._namesakes(o),
                exclusive_bucket=self._site.installation.policy.exclusive_bucket,
                owner_in_metadata=head.metadata.get(METADATA_UID, ""),
            )
            if guard:
                return "kept", guard
            outcome = store.delete(o.key, etag=etag)
        except ArgoRetentionError as error:
            return "failed", str(error).partition("\n")[0]
        if outcome is ObjectDeletion.CHANGED:
            return "kept", "it was overwritten since it was recorded (another ETag)"
        return outcome.value, ""

    def _namesakes(self, o: _Object) -> frozenset[str]:
        """Live workflows, not proven yet, whose name stands in the key: they may name the object next."""
        names = {o.unit.name, *o.key.split("/")}
        found = {uid for name in names for uid in self._unproven.get(name, ())}
        return frozenset(found - {o.unit.uid})

    def _store(self, o: _Object) -> LogStore:
        repository = self._site.installation.repository
        if repository is None or repository.s3 is None:
            raise ObjectStoreError(
                f"There is no S3 repository in the configuration any more to reach {o.bucket}."
            )
        location = replace(repository.s3, bucket=o.bucket)
        return self._site.log_stores.of(location, namespace=o.unit.namespace)


def _unproven_live(site: Site, live: Sequence[LiveWorkflow]) -> dict[str, frozenset[str]]:
    """Name → uids of live workflows of that name whose references are not recorded (not proven)."""
    proven = {
        proof.uid: proof
        for proof in site.archive.proven_versions(
            clustername=site.installation.clustername, uids=[w.uid for w in live]
        )
    }
    names: dict[str, set[str]] = defaultdict(set)
    for workflow in live:
        proof = proven.get(workflow.uid)
        if proof is None or not proof.holds_for(workflow.resource_version):
            names[workflow.name].add(workflow.uid)
    return {name: frozenset(uids) for name, uids in names.items()}
