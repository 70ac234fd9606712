"""Carrying out an expiry plan: row, labels and log objects go as one unit, in recorded stages.

Stages of a unit: `intended` (committed before anything is touched), `objects_done` (each log object is gone
or stays for a named reason), `done` (row, labels and references are gone). Objects go first and the row last,
since the row is what points at them; killed at any point, the next run takes up the open units.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from msgspec import structs

from argo_retention.core.expiry_planning import (
    ExpiryDecision,
    live_holds,
    share_refusal,
    still_removed,
)
from argo_retention.core.ledger import ExpiryUnit, LeaseGrant, PlanRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogReference, LogState
from argo_retention.errors import PlanRefusedError
from argo_retention.operations.auditing import Audit
from argo_retention.operations.expiring_objects import LogObject, ObjectDeleter
from argo_retention.operations.expiry_plans import read_expiry_plan
from argo_retention.operations.garbage import rare_collections
from argo_retention.operations.guarding import check_sound
from argo_retention.operations.holding import holds_now
from argo_retention.operations.pausing import pause_now
from argo_retention.operations.planning import claimable_plan
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import (
    list_to_delete_by,
    refusal_of_counts,
)
from argo_retention.operations.undoing import EXPIRED, RowKeeper, throw_away
from argo_retention.operations.undoing_logs import keep_log
from argo_retention.operations.waiting import result_of

BATCH = 500
ASKED_AT_ONCE = 5000  # units whose objects are asked for in one query
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
    not_now: int = 0  # planned or begun, but a fresh look keeps them
    objects: Counter[str] = field(default_factory=Counter)  # deleted, gone, kept, failed
    row_bytes: int = 0  # that the JSON of the rows took in the table
    object_bytes: int = 0  # of the log objects that were deleted
    kept_objects: list[str] = field(default_factory=list)  # "bucket/key: why"
    failed: list[str] = field(
        default_factory=list
    )  # "namespace/name: why"; the next run tries again
    paused: str = ""  # who paused, since when and why; what was left then stays for the next run


@rare_collections()
def expire(site: Site, grant: LeaseGrant, *, plan_id: str | None = None) -> Expired:
    """Expire what the plan and a fresh look both remove, and units that a crash left open.

    Raises PlanRefusedError, DatabaseError, ClockSkewError, ListIncompleteError, ClusterError or
    ObjectStoreError before anything is touched. Single failures are named in the result.
    """
    check_sound(site, deletes=True)
    record = claimable_plan(site, kind="expiry", plan_id=plan_id)
    planned = read_expiry_plan(site, record).removals
    live = list_to_delete_by(site)
    refusal = refusal_of_counts(site, len(live))
    if refusal:
        raise PlanRefusedError(refusal)
    installation = site.installation
    going = _look_again(site, planned, live)
    paused = pause_now(site) if installation.applies else ""
    applies = installation.applies and not paused
    result = Expired(plan=record, applied=applies, planned=len(planned), paused=paused)
    result.not_now = result.planned - len(going)
    if not applies:
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
    throw_away(site)
    return result


def _look_again(
    site: Site, planned: Sequence[ExpiryDecision], live: Sequence[LiveWorkflow]
) -> list[ExpiryDecision]:
    """What still goes, with the cluster as it is now. Raises PlanRefusedError where that is too many."""
    installation = site.installation
    vanished = site.archive.vanished(
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        namespace=installation.managed_namespace,
    )
    going = list(
        still_removed(
            planned,
            vanished=[unit.uid for unit in vanished],
            live_versions={workflow.uid: workflow.resource_version for workflow in live},
            policy=installation.policy,
            now=site.clock(),
            holds=holds_now(site),
            held_live=live_holds(live),
        )
    )
    counts = site.archive.counts(
        clustername=installation.clustername, instanceid=installation.instanceid
    )
    refusal = share_refusal(len(going), counts["rows"] + len(vanished), policy=installation.policy)
    if refusal:
        raise PlanRefusedError(refusal)
    return going


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
        self._committed: set[str] = set()
        self._deleter = ObjectDeleter(
            site,
            live,
            committed=self._committed,
            stop=self._stop,
            keep=partial(keep_log, site),
        )
        self._keeper = RowKeeper(site, kind=EXPIRED)
        self._audit = Audit(site)

    def run(self, units: Sequence[ExpiryUnit], live_versions: Mapping[str, int]) -> None:
        """Expire all units; a batch that fails leaves its units open for the next run."""
        while self._site.archive.backfill_references(self._grant):
            self._site.progress("references", 0, None)
        objects = self._objects_of(units)
        # Where nothing was begun and nothing but the row goes, one transaction is all stages at once.
        bare = [unit for unit in units if unit.uid not in objects and unit.at is None]
        others = [unit for unit in units if unit.uid in objects or unit.at is not None]
        total = len(units)
        with (
            ThreadPoolExecutor(OBJECTS_IN_FLIGHT, thread_name_prefix="object") as pool,
            ThreadPoolExecutor(BATCHES_AT_ONCE, thread_name_prefix="expire") as workers,
        ):
            futures: list[Future[None]] = []
            try:
                futures += [
                    workers.submit(self._expire, batch, objects, pool, live_versions, total)
                    for batch in _batches(bare, BATCH)
                ]
                # Two units that share an object must both be known as going before either is judged, or
                # each would leave the object to the other.
                begun = [self._begin(batch, objects) for batch in _batches(others, BATCH)]
                futures += [
                    workers.submit(self._expire, batch, objects, pool, live_versions, total)
                    for batch in begun
                ]
                for future in futures:
                    result_of(future)
            finally:
                self._stop.set()
                for future in futures:
                    future.cancel()

    def _objects_of(self, units: Sequence[ExpiryUnit]) -> Mapping[str, Sequence[LogObject]]:
        """uid → log objects that its row or the ledger names; none for a unit whose objects are done."""
        objects: dict[str, list[LogObject]] = defaultdict(list)
        waiting = [unit for unit in units if unit.stage != "objects_done"]
        for batch in _batches(waiting, ASKED_AT_ONCE):
            by_uid = {unit.uid: unit for unit in batch}
            for (uid, bucket, key), etag in self._named(list(by_uid)).items():
                objects[uid].append(LogObject(unit=by_uid[uid], bucket=bucket, key=key, etag=etag))
        return objects

    def _named(self, uids: Sequence[str]) -> Mapping[tuple[str, str, str], str]:
        """(uid, bucket, key) → recorded ETag, "" where there is none."""
        archive = self._site.archive
        clustername = self._site.installation.clustername
        named = {
            (reference.uid, reference.bucket, reference.key): ""
            for reference in archive.references(clustername=clustername, uids=uids)
        }
        recorded = {
            (record.uid, record.bucket, record.key): record.etag or ""
            for record in archive.log_records(clustername=clustername, uids=uids)
            if record.state in {LogState.STORED, LogState.INTENDED} and record.key
        }
        return {**named, **recorded}

    def _begin(
        self, units: Sequence[ExpiryUnit], objects: Mapping[str, Sequence[LogObject]]
    ) -> list[ExpiryUnit]:
        """Record the intent of units whose row is still the planned one; these units.

        A row that changed has begun a life of its own: its objects must stay, and a unit that an earlier run
        began is withdrawn.
        """
        archive = self._site.archive
        uids = [unit.uid for unit in units]
        digests = archive.row_digests(clustername=self._site.installation.clustername, uids=uids)
        going = [unit for unit in units if digests.get(unit.uid, unit.digest) == unit.digest]
        changed = [unit for unit in units if digests.get(unit.uid, unit.digest) != unit.digest]
        begun = [unit for unit in going if unit.uid in objects]
        withdrawn = [
            structs.replace(unit, stage="withdrawn") for unit in changed if unit.at is not None
        ]
        if begun or withdrawn:
            archive.record_units(self._grant, [*begun, *withdrawn])
        self._committed.update(unit.uid for unit in begun)
        with self._lock:
            self._result.not_now += len(changed)
        return going

    def _expire(
        self,
        units: Sequence[ExpiryUnit],
        objects: Mapping[str, Sequence[LogObject]],
        pool: ThreadPoolExecutor,
        live_versions: Mapping[str, int],
        total: int,
    ) -> None:
        """One batch: its rows are kept, then its log objects go, then its rows."""
        if self._stop.is_set() or self._is_paused():
            return
        self._keeper.keep(units)
        named = [o for unit in units for o in objects.get(unit.uid, ())]
        ready = self._delete_objects(units, named, pool) if named else units
        if self._stop.is_set():
            return
        # Before: killed after the commit, nobody would know what is missing.
        self._audit.expired(ready, stage="going")
        gone = self._site.archive.expire_rows(self._grant, ready, live_versions=live_versions)
        stayed = [unit for unit in ready if unit.uid not in gone]
        self._audit.expired(stayed, stage="stayed")
        with self._lock:
            self._result.units_done += len(gone)
            self._result.row_bytes += sum(gone.values())
            self._result.failed += [
                f"{unit.namespace}/{unit.name}: its row changed or is in use; the next run looks again"
                for unit in stayed
            ]
            done = self._result.units_done
        self._site.progress("expire", done, total)

    def _is_paused(self) -> bool:
        """Whether somebody paused meanwhile; units that were begun stay open."""
        paused = pause_now(self._site)
        if paused:
            with self._lock:
                self._result.paused = paused
        return bool(paused)

    def _delete_objects(
        self,
        units: Sequence[ExpiryUnit],
        objects: Sequence[LogObject],
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
            pool.submit(self._deleter.delete, o, others.get((o.bucket, o.key), ())) for o in objects
        ]
        kept: dict[str, list[str]] = defaultdict(list)
        failed: set[str] = set()
        for o, future in zip(objects, futures, strict=True):
            outcome, why, size = future.result()
            with self._lock:
                self._result.objects[outcome] += 1
                self._result.object_bytes += size
                if outcome == "kept":
                    kept[o.unit.uid].append(f"{o.bucket}/{o.key}: {why}")
                    self._result.kept_objects.append(f"{o.bucket}/{o.key}: {why}")
                elif outcome == "failed":
                    failed.add(o.unit.uid)
                    self._result.failed.append(f"{o.unit.namespace}/{o.unit.name}: {why}")
        named = {o.unit.uid for o in objects}
        finished = [
            structs.replace(unit, stage="objects_done", kept_objects=tuple(kept[unit.uid]))
            for unit in units
            if unit.uid in named and unit.uid not in failed
        ]
        if finished:
            self._site.archive.record_units(self._grant, finished)
        return [*finished, *(unit for unit in units if unit.uid not in named)]


def _batches(units: Sequence[ExpiryUnit], size: int) -> list[Sequence[ExpiryUnit]]:
    return [units[i : i + size] for i in range(0, len(units), size)]
