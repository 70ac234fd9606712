"""Carrying out a retention plan: each workflow is proven once more at the moment of its deletion.

The cluster is listed afresh and planned again; what goes is the intersection. Batches of at most 100: intents
are committed, the rows are read again and locked, DELETE carries uid and resourceVersion, outcomes are
recorded, and only then are the rows released. Before the requests the rows are kept for undo, after them the
outcomes are written to the audit. In mode observe all is done but the requests, and nothing is recorded as
deleted; the same while somebody has paused deletions.
"""

import threading
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from msgspec import structs

from argo_retention.core.ledger import Deletion, LeaseGrant, LockedRow, PlanRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.planning import Decision, Plan, intersection, let_pass, waves
from argo_retention.core.ports.cluster import DeleteOutcome, DeleteResult, DeleteTarget, Sending
from argo_retention.core.reasons import Reason, Verdict, sentence
from argo_retention.errors import ClusterError, DeletionUnknownError, PlanRefusedError
from argo_retention.operations.auditing import Audit
from argo_retention.operations.garbage import rare_collections
from argo_retention.operations.guarding import check_sound
from argo_retention.operations.pacing import Pace
from argo_retention.operations.pausing import pause_now
from argo_retention.operations.planning import claimable_plan, plan_now, read_plan
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import list_to_delete_by, refusal_of_counts
from argo_retention.operations.undoing import DELETED, RowKeeper, throw_away
from argo_retention.operations.waiting import result_of

BATCH = 100
BATCHES_AT_ONCE = 3
FAILURES_BEFORE_STOP = 20

OBSERVED = "observed"
OWNER_STAYS = "refused: it owns a workflow that stays"
PAUSED = "paused"  # then what `pausing` says
UNKNOWN = "unknown"  # said by a run; in the ledger such an intent stays open
STOPPED = "refused: the run was stopped before the request"
#: TERMINATING is not among them: what a finalizer holds is still owned.
LEFT_THE_CLUSTER = frozenset({DeleteOutcome.DELETED.value, DeleteOutcome.GONE.value, OBSERVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What became of a plan's removals."""

    plan: PlanRecord
    applied: bool  # False: mode observe, or paused; nothing was sent
    outcomes: Mapping[str, int]  # outcome or reason → how many
    deletions: Sequence[Deletion]  # one for each planned removal, with its outcome
    resolved: Sequence[Deletion]  # intents of earlier runs whose end was found out now
    paused: str = ""  # who paused, since when and why
    freed_bytes: int = 0  # of JSON, about what those took in etcd

    @property
    def deleted(self) -> int:
        """How many left the cluster by this run."""
        return self.outcomes.get(DeleteOutcome.DELETED.value, 0)

    @property
    def problems(self) -> Sequence[Deletion]:
        """Those that were refused or failed, or of which nobody knows."""
        return [d for d in self.deletions if _kind(d.outcome) in {"refused", UNKNOWN}]


@rare_collections()
def collect(
    site: Site,
    grant: LeaseGrant,
    *,
    plan_id: str | None = None,
    allow_deletions: int | None = None,
) -> Collected:
    """Delete what the plan and a fresh look both remove.

    `allow_deletions` lets a plan of so many pass that `brakes.max_share` refuses; every other brake holds.

    Raises PlanRefusedError, DatabaseError, ClockSkewError, ListIncompleteError or ClusterError before the
    first deletion; after it, LeaseLostError only. Single failures are outcomes.
    """
    check_sound(site, deletes=True)
    record = claimable_plan(site, kind="retention", plan_id=plan_id)
    planned = read_plan(site, record)
    live = list_to_delete_by(site)
    refusal = refusal_of_counts(site, len(live))
    if refusal:
        raise PlanRefusedError(refusal)
    audit = Audit(site)
    resolved = resolve_open_deletions(site, grant, live, audit)
    fresh = let_pass(plan_now(site, live, now=site.clock()), allow_deletions=allow_deletions)
    if fresh.refusal:
        raise PlanRefusedError(fresh.refusal)
    going = intersection(planned, fresh)
    intents = {d.uid: _intent(site, record, d) for d in planned.removals}
    left_out = _left_out(planned, fresh, intents, going={d.uid for d in going})
    paused = pause_now(site) if site.installation.applies else ""
    applies = site.installation.applies and not paused
    if applies and not site.archive.claim_plan(grant, record.plan_id):
        raise PlanRefusedError(
            f"Plan {record.plan_id} was used or superseded a moment ago. Nothing was deleted."
        )
    collector = _Collector(site, grant, audit, applies=applies)
    done = collector.run(waves(going), intents)
    if paused:
        done = [structs.replace(d, outcome=f"{PAUSED}: {paused}") for d in done]
    if applies and left_out:
        site.archive.record_deletions(grant, left_out)
    if applies:
        throw_away(site)
    deletions = [*done, *left_out]
    return Collected(
        plan=record,
        applied=applies,
        outcomes=Counter(_kind(d.outcome) for d in deletions),
        deletions=deletions,
        resolved=resolved,
        freed_bytes=collector.freed_bytes,
        paused=paused or next((_detail(d.outcome) for d in done if _kind(d.outcome) == PAUSED), ""),
    )


def resolve_open_deletions(
    site: Site, grant: LeaseGrant, live: Sequence[LiveWorkflow], audit: Audit
) -> list[Deletion]:
    """Find out what became of intents that a crash or a finalizer left open, by a complete list."""
    present = {workflow.uid for workflow in live}
    resolved = []
    installation = site.installation
    for deletion in site.archive.open_deletions(
        clustername=installation.clustername, instanceid=installation.instanceid
    ):
        terminating = deletion.outcome == DeleteOutcome.TERMINATING.value
        if deletion.uid not in present:
            resolved.append(structs.replace(deletion, outcome=DeleteOutcome.DELETED.value))
        elif not terminating:
            outcome = (
                "refused: the run had no answer, or ended before the request; it is still there"
            )
            resolved.append(structs.replace(deletion, outcome=outcome))
    if resolved:
        audit.deletions(resolved)
        site.archive.record_deletions(grant, resolved)
    return resolved


def _intent(site: Site, record: PlanRecord, decision: Decision) -> Deletion:
    return Deletion(
        clustername=site.installation.clustername,
        uid=decision.uid,
        namespace=decision.namespace,
        name=decision.name,
        resource_version=decision.resource_version,
        rule=decision.rule,
        rank=decision.rank,
        reason=decision.sentence,
        plan_id=record.plan_id,
        run_id=site.run_id,
        by_whom=site.by_whom,
    )


def _target(intent: Deletion) -> DeleteTarget:
    return DeleteTarget(
        namespace=intent.namespace,
        name=intent.name,
        uid=intent.uid,
        resource_version=intent.resource_version,
    )


def _left_out(
    planned: Plan, fresh: Plan, intents: Mapping[str, Deletion], *, going: Collection[str]
) -> list[Deletion]:
    """Planned removals that a fresh look keeps, each with what it says now."""
    now = {decision.uid: decision for decision in fresh.decisions}
    left_out = []
    for decision in planned.removals:
        current = now.get(decision.uid)
        if decision.uid in going:
            continue
        if current is None:
            outcome = DeleteOutcome.GONE.value
        elif current.resource_version != decision.resource_version:
            outcome = f"{DeleteOutcome.CHANGED.value}: {sentence(Reason.CHANGED)}"
        elif current.verdict is Verdict.REMOVE:
            outcome = "kept: it owns a workflow that stays"
        else:
            outcome = f"kept: {current.sentence}"
        left_out.append(structs.replace(intents[decision.uid], outcome=outcome))
    return left_out


def _kind(outcome: str) -> str:
    return outcome.partition(":")[0]


def _detail(outcome: str) -> str:
    return outcome.partition(": ")[2]


class _Collector:
    """Batches of intents, sent at the configured rate."""

    def __init__(self, site: Site, grant: LeaseGrant, audit: Audit, *, applies: bool) -> None:
        self._site = site
        self._grant = grant
        self._audit = audit
        self._keeper = RowKeeper(site, kind=DELETED)
        self._applies = applies
        self._pace = Pace(site.installation.policy.brakes.per_second)
        self._stop = threading.Event()
        self._failures = 0
        self._done = 0
        self.freed_bytes = 0  # by what the server said is deleted
        self._lock = threading.Lock()

    def run(
        self, going: Sequence[Sequence[Decision]], intents: Mapping[str, Deletion]
    ) -> list[Deletion]:
        """All decisions, wave by wave, with their outcomes; stops early when the API keeps failing.

        An owner whose dependant did not go stays as well: its cascade would take the dependant along.
        """
        total = sum(len(wave) for wave in going)
        done: list[Deletion] = []
        still_owned: set[str] = set()  # uids of owners of what stayed
        with ThreadPoolExecutor(BATCHES_AT_ONCE, thread_name_prefix="batch") as workers:
            for wave in going:
                may_go = [intents[d.uid] for d in wave if d.uid not in still_owned]
                outcomes = self._wave(may_go, workers, total)
                owners = [intents[d.uid] for d in wave if d.uid in still_owned]
                spared = [structs.replace(each, outcome=OWNER_STAYS) for each in owners]
                self._advance(len(spared), total)
                if self._applies and spared:
                    self._site.archive.record_deletions(self._grant, spared)
                outcomes += spared
                stayed = {o.uid for o in outcomes if o.outcome not in LEFT_THE_CLUSTER}
                still_owned |= {uid for d in wave if d.uid in stayed for uid in d.owners}
                done += outcomes
        return done

    def _wave(
        self,
        intents: Sequence[Deletion],
        workers: ThreadPoolExecutor,
        total: int,
    ) -> list[Deletion]:
        batches = [intents[i : i + BATCH] for i in range(0, len(intents), BATCH)]
        futures = []
        try:
            for batch in batches:
                futures.append(workers.submit(self._batch, batch, total))  # noqa: PERF401
            return [deletion for future in futures for deletion in result_of(future)]
        except BaseException:
            # An interruption too, even before the last batch was begun: nothing more is sent.
            self._stop.set()
            for future in futures:
                future.cancel()
            raise

    def _batch(self, intents: Sequence[Deletion], total: int) -> list[Deletion]:
        if self._stop.is_set():
            return [structs.replace(intent, outcome=STOPPED) for intent in intents]
        archive = self._site.archive
        if self._applies:
            paused = pause_now(self._site)
            if paused:
                return self._paused(intents, paused, total)
            archive.record_deletions(self._grant, intents)
        outcomes: list[Deletion] = []
        try:
            with archive.lock_rows(self._grant, uids=[intent.uid for intent in intents]) as rows:
                outcomes = self._send(intents, rows, total)
        finally:
            # Outcomes are recorded even when releasing the locks fails; without them the intents stay open
            # and the next run finds out by a list.
            # So does an intent of which no answer came.
            known = [each for each in outcomes if _kind(each.outcome) != UNKNOWN]
            if self._applies and known:
                self._record(known)
        return outcomes

    def _record(self, known: Sequence[Deletion]) -> None:
        # The audit first: killed between the two, the intents are open, and the next run adds them again.
        try:
            self._audit.deletions(known)
        finally:
            self._site.archive.record_deletions(self._grant, known)

    def _paused(self, intents: Sequence[Deletion], paused: str, total: int) -> list[Deletion]:
        outcomes = [structs.replace(each, outcome=f"{PAUSED}: {paused}") for each in intents]
        self._site.archive.record_deletions(self._grant, outcomes)
        self._advance(len(outcomes), total)
        return outcomes

    def _send(
        self, intents: Sequence[Deletion], rows: Mapping[str, LockedRow], total: int
    ) -> list[Deletion]:
        """The outcomes, in this order; what the locked rows do not prove is not sent."""
        now = self._site.clock()
        doubts = [self._doubt(intent, rows.get(intent.uid), now) for intent in intents]
        not_sent = STOPPED if self._applies else OBSERVED
        outcomes = [f"refused: {doubt}" if doubt else not_sent for doubt in doubts]
        places = [place for place, doubt in enumerate(doubts) if not doubt]
        self._advance(len(doubts) - len(places), total)

        def report(at: int, result: DeleteResult) -> None:
            outcomes[places[at]] = self._outcome_of(result)
            if result is DeleteOutcome.DELETED:
                with self._lock:
                    self.freed_bytes += rows[intents[places[at]].uid].size
            self._advance(1, total)

        if self._applies and places:
            self._keeper.keep([intents[place] for place in places])
            self._site.cluster.delete_workflows(
                [_target(intents[place]) for place in places],
                Sending(turn=self._pace.turn, is_stopped=self._stop.is_set, report=report),
            )
        else:
            self._advance(len(places), total)
        return [structs.replace(i, outcome=said) for i, said in zip(intents, outcomes, strict=True)]

    def _outcome_of(self, result: DeleteResult) -> str:
        if not isinstance(result, ClusterError):
            return result.value
        with self._lock:
            self._failures += 1
            if self._failures >= FAILURES_BEFORE_STOP:
                self._stop.set()
        first_line = str(result).partition("\n")[0]
        return f"{UNKNOWN if isinstance(result, DeletionUnknownError) else 'refused'}: {first_line}"

    def _doubt(self, intent: Deletion, row: LockedRow | None, now: datetime) -> str:
        """Why this row, read again under lock, does not prove this version; "" when it does (promise P1)."""
        if row is None:
            return "its archive row is gone"
        if intent.resource_version not in {row.resource_version, row.live_version}:
            return f"proven at resourceVersion {row.resource_version}, planned at {intent.resource_version}"
        if not row.expired_while_live and (not row.digest or row.digest != row.proven_digest):
            return "its archive row is not the one that was proven"
        if not row.logs_settled:
            return "a log of it is not settled any more"
        if now - row.proven_at < self._site.installation.policy.proof_age:
            return "its proof is younger than retention.proof_age"
        return ""

    def _advance(self, count: int, total: int) -> None:
        if count:
            with self._lock:
                self._done += count
                done = self._done
            self._site.progress("delete", done, total)
