"""The retention plan: a pure function of workflows, proofs, policy and now.

Every workflow gets one decision with its reason. Order of input has no influence; the same input gives the
same plan. Nothing here knows a server; whether a proof still stands when it comes to deleting is looked up
again by `operations.collecting`.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from msgspec.structs import replace

from argo_retention.core import labels
from argo_retention.core.holds import Holds, why_held
from argo_retention.core.opinions import Candidate, Opinion, opinions_of, show_time
from argo_retention.core.policy import SHARE_COUNTS_FROM, Brakes, Policy
from argo_retention.core.reasons import Reason, Verdict, sentence


class Decision(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the plan says of one workflow, and why; made by the hundred thousand, hence a struct."""

    uid: str
    namespace: str
    name: str
    phase: str
    created_at: datetime
    finished_at: datetime | None
    resource_version: int
    verdict: Verdict
    reason: Reason
    sentence: str
    rule: str  # name of the rule, "retentionPolicy", "ttlStrategy", or ""
    rank: int | None  # place among its group or phase, newest first, from 1
    surplus: bool  # whether policy alone would remove it
    lost_logs: int = 0  # logs that cannot be had any more and go with it
    owners: tuple[str, ...] = ()  # uids of what owns it; deleting an owner deletes it too

    @property
    def is_refused(self) -> bool:
        """Policy would remove it, or cannot tell before it is proven, and something forbids it."""
        may_go = self.surplus or self.reason is Reason.UNPROVEN
        return may_go and self.verdict is Verdict.KEEP

    def kept_because(self, reason: Reason, **facts: object) -> "Decision":
        """The same workflow, kept for this reason."""
        return replace(
            self, verdict=Verdict.KEEP, reason=reason, sentence=sentence(reason, **facts)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Decisions for all workflows of a cluster, by namespace and name; `refusal` stops it as a whole."""

    decisions: tuple[Decision, ...]
    refusal: str = ""

    @property
    def removals(self) -> tuple[Decision, ...]:
        """What goes, in the order of `waves`."""
        going = [decision for decision in self.decisions if decision.verdict is Verdict.REMOVE]
        return tuple(decision for wave in waves(going) for decision in wave)

    @property
    def digest(self) -> str:
        """Names the content of the plan."""
        digest = hashlib.sha256()
        for d in self.decisions:
            digest.update(
                f"{d.uid} {d.resource_version} {d.verdict} {d.reason} {d.rule} {d.rank}\n".encode()
            )
        return digest.hexdigest()


def plan_retention(
    candidates: Iterable[Candidate],
    *,
    policy: Policy,
    now: datetime,
    holds: Holds | None = None,
) -> Plan:
    """Decide on every workflow of one cluster.

    Args:
        candidates: all live workflows of the installation, in any order.
        policy: what the operator wrote.
        now: UTC; ages count from it.
        holds: places that are held, and why.
    """
    everything = _each_once(candidates)
    finished = [c for c in everything if c.workflow.is_finished and not c.workflow.deleting]
    opinions = opinions_of(finished, policy=policy, now=now)
    decisions: dict[str, Decision] = {}
    for candidate in everything:
        opinion = opinions.get(candidate.workflow.uid)
        decision = _ineligible(candidate) if opinion is None else _decide(candidate, opinion)
        if decision.verdict is Verdict.REMOVE:
            decision = _guard(candidate, decision, policy=policy, now=now, holds=holds or {})
        decisions[candidate.workflow.uid] = decision
    _keep_owners(decisions)
    removals = sum(1 for d in decisions.values() if d.verdict is Verdict.REMOVE)
    refusal = _refusal(removals, finished=len(finished), max_share=policy.brakes.max_share)
    if removals > policy.brakes.max_deletions:
        _cut(decisions, limit=policy.brakes.max_deletions)
        # Once more, for owners in a ring: what was cut away must not go by the cascade of its owner.
        _keep_owners(decisions)
    return Plan(decisions=tuple(decisions.values()), refusal=refusal)


def let_pass(plan: Plan, *, allow_deletions: int | None) -> Plan:
    """The plan without its refusal, where a person allowed so many deletions; else as it is."""
    wanted = sum(
        1 for d in plan.decisions if d.verdict is Verdict.REMOVE or d.reason is Reason.WAITING
    )
    if plan.refusal and allow_deletions is not None and wanted <= allow_deletions:
        return Plan(decisions=plan.decisions)
    return plan


def intersection(planned: Plan, now_planned: Plan) -> tuple[Decision, ...]:
    """What both plans remove in the same version, in the order of `waves`; nothing when one is refused.

    An owner whose dependant drops out stays too: its cascade would delete what only one plan removes. The
    decisions are those of now.
    """
    if planned.refusal or now_planned.refusal:
        return ()
    versions = {d.uid: d.resource_version for d in planned.decisions if d.verdict is Verdict.REMOVE}
    decisions = {
        d.uid: d
        if d.verdict is not Verdict.REMOVE or versions.get(d.uid) == d.resource_version
        else d.kept_because(Reason.CHANGED)
        for d in now_planned.decisions
    }
    _keep_owners(decisions)
    return Plan(decisions=tuple(decisions.values())).removals


def waves(removals: Iterable[Decision]) -> list[tuple[Decision, ...]]:
    """Removals in the order of deletion: dependants before their owners, oldest first within a wave.

    A wave has to be over before the next one begins, and an owner may go only if all that it owned went:
    deleting an owner deletes what it still owns without a look at any proof.
    """
    waiting = {d.uid: d for d in sorted(removals, key=_newest_first, reverse=True)}
    order = []
    while waiting:
        owners = {uid for d in waiting.values() for uid in d.owners if uid != d.uid}
        wave = tuple(d for uid, d in waiting.items() if uid not in owners)
        wave = wave or tuple(waiting.values())  # they own one another in a ring
        order.append(wave)
        for decision in wave:
            del waiting[decision.uid]
    return order


def _newest_first(decision: Decision) -> tuple[float, str, str, str]:
    """The order of ranks, so that of equally old ones the last in rank goes first."""
    return (-decision.created_at.timestamp(), decision.namespace, decision.name, decision.uid)


def _each_once(candidates: Iterable[Candidate]) -> list[Candidate]:
    """By namespace and name; of a workflow that stands twice in a list, the newer version.

    Twice in a list it would take two ranks and push another one out.
    """
    once: dict[str, Candidate] = {}
    for candidate in candidates:
        other = once.setdefault(candidate.workflow.uid, candidate)
        if candidate.workflow.resource_version > other.workflow.resource_version:
            once[candidate.workflow.uid] = candidate
    return sorted(
        once.values(), key=lambda c: (c.workflow.namespace, c.workflow.name, c.workflow.uid)
    )


def runs_needed(plan: Plan, brakes: Brakes) -> int:
    """How many runs the backlog takes under `max_deletions`, this one included."""
    waiting = sum(1 for d in plan.decisions if d.reason is Reason.WAITING)
    total = len(plan.removals) + waiting
    if brakes.max_deletions <= 0:
        return 0
    return -(-total // brakes.max_deletions)


def _decide(candidate: Candidate, opinion: Opinion) -> Decision:
    workflow = candidate.workflow
    proven = candidate.proven
    return Decision(
        uid=workflow.uid,
        namespace=workflow.namespace,
        name=workflow.name,
        phase=workflow.phase,
        created_at=workflow.created_at,
        finished_at=proven.facts.finished_at if proven else None,
        resource_version=workflow.resource_version,
        verdict=Verdict.REMOVE if opinion.removes else Verdict.KEEP,
        reason=opinion.reason,
        sentence=opinion.sentence,
        rule=opinion.rule,
        rank=opinion.rank,
        surplus=opinion.removes,
        lost_logs=proven.logs.lost if proven else 0,
        owners=tuple(owner.uid for owner in workflow.owners),
    )


def _ineligible(candidate: Candidate) -> Decision:
    workflow = candidate.workflow
    if workflow.deleting:
        reason = Reason.FINALIZING
        text = sentence(reason, detail=", ".join(workflow.finalizers) or "none")
    else:
        reason = Reason.NOT_FINISHED
        text = sentence(reason, phase=workflow.phase or "unknown")
    return replace(
        _decide(candidate, Opinion(removes=False, reason=reason, sentence=text)),
        verdict=Verdict.INELIGIBLE,
    )


def _guard(
    candidate: Candidate,
    decision: Decision,
    *,
    policy: Policy,
    now: datetime,
    holds: Holds,
) -> Decision:
    """Keep what policy would remove but must not; the first reason that holds is named."""
    workflow = candidate.workflow
    if labels.HOLD in workflow.annotations:
        why = workflow.annotations[labels.HOLD]
        return decision.kept_because(Reason.HELD, detail=f"annotation {labels.HOLD}: {why}")
    held = why_held(holds, namespace=workflow.namespace, name=workflow.name)
    if held is not None:
        return decision.kept_because(Reason.HELD, detail=held)
    selector = policy.archive_selector
    if selector is not None and not selector.matches(workflow.labels):
        return decision.kept_because(Reason.NOT_SELECTED)
    proven = candidate.proven
    if proven is None:
        return decision.kept_because(Reason.UNPROVEN, detail=candidate.why_unproven)
    if not proven.logs.is_settled:
        count = proven.logs.unsettled
        noun = "log is" if count == 1 else "logs are"
        detail = f"{count} {noun} not settled: {proven.logs.first_reason}"
        return decision.kept_because(Reason.UNSETTLED_LOGS, detail=detail)
    if proven.facts.artifact_gc_deletes_logs:
        return decision.kept_because(Reason.ARTIFACT_GC)
    # With an age of 0 the database's clock may be a little ahead of ours.
    if policy.proof_age and now - proven.proven_at < policy.proof_age:
        return decision.kept_because(Reason.PROOF_TOO_YOUNG, detail=show_time(proven.proven_at))
    return decision


def _keep_owners(decisions: dict[str, Decision]) -> None:
    """Background deletion cascades, so an owner stays as long as one Workflow that it owns stays."""
    staying = [d for d in decisions.values() if d.owners and d.verdict is not Verdict.REMOVE]
    while staying:
        child = staying.pop()
        for uid in child.owners:
            owner = decisions.get(uid)
            if owner is not None and owner.verdict is Verdict.REMOVE:
                kept = owner.kept_because(
                    Reason.HAS_DEPENDANTS, detail=f"workflow {child.namespace}/{child.name}"
                )
                decisions[uid] = kept
                staying.append(kept)


def _cut(decisions: dict[str, Decision], *, limit: int) -> None:
    """`max_deletions` cuts the plan in the order of deletion, so an owner never waits for nothing."""
    removals = Plan(decisions=tuple(decisions.values())).removals
    text = sentence(Reason.WAITING, limit=limit)  # once: it may be said of nearly all
    for decision in removals[max(limit, 0) :]:
        decisions[decision.uid] = replace(
            decision, verdict=Verdict.KEEP, reason=Reason.WAITING, sentence=text
        )


def _refusal(removals: int, *, finished: int, max_share: float) -> str:
    """`max_share` refuses the whole plan: a slip in the policy shows as a plan that removes nearly all."""
    if finished < SHARE_COUNTS_FROM or removals <= max_share * finished:
        return ""
    return (
        f"{removals} of {finished} finished workflows would be deleted, "
        f"more than brakes.max_share {max_share:g} allows.\n"
        "If that is meant, let one plan pass with allow_deletions "
        f"{removals} (job argo_apply_plan, or `argo-retention run retention --plan-id ID "
        f"--allow-deletions {removals}`), or raise brakes.max_share in retention.yaml and plan again."
    )
