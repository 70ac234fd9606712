"""The retention plan: a pure function of workflows, proofs, policy and now.

Every workflow gets one decision with its reason. Order of input has no influence; the same input gives the
same plan. Nothing here knows a server; whether a proof still stands when it comes to deleting is looked up
again by `operations.collecting`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from argo_retention.core import labels
from argo_retention.core.opinions import Candidate, Opinion, opinions_of, show_time
from argo_retention.core.policy import SHARE_COUNTS_FROM, Brakes, Policy
from argo_retention.core.reasons import Reason, Verdict, sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the plan says of one workflow, and why."""

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

    @property
    def is_refused(self) -> bool:
        """Policy would remove it, something forbids it."""
        return self.surplus and self.verdict is Verdict.KEEP

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
        """What goes, oldest first: the order in which it is deleted."""
        going = [decision for decision in self.decisions if decision.verdict is Verdict.REMOVE]
        return tuple(sorted(going, key=lambda d: (d.created_at, d.namespace, d.name, d.uid)))

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
    held_namespaces: Mapping[str, str] | None = None,
) -> Plan:
    """Decide on every workflow of one cluster.

    Args:
        candidates: all live workflows of the installation, in any order.
        policy: what the operator wrote.
        now: UTC; ages count from it.
        held_namespaces: namespace → why all of it is held.
    """
    everything = sorted(
        candidates,
        key=lambda c: (c.workflow.namespace, c.workflow.name, c.workflow.uid),
    )
    finished = [c for c in everything if c.workflow.is_finished and not c.workflow.deleting]
    opinions = opinions_of(finished, policy=policy, now=now)
    held = held_namespaces or {}
    decisions = {}
    for candidate in everything:
        opinion = opinions.get(candidate.workflow.uid)
        decision = _ineligible(candidate) if opinion is None else _decide(candidate, opinion)
        if decision.verdict is Verdict.REMOVE:
            decision = _guard(candidate, decision, policy=policy, now=now, held=held)
        decisions[candidate.workflow.uid] = decision
    _keep_owners(everything, decisions)
    removals = sum(1 for d in decisions.values() if d.verdict is Verdict.REMOVE)
    refusal = _refusal(removals, finished=len(finished), max_share=policy.brakes.max_share)
    _cut(decisions, limit=policy.brakes.max_deletions)
    # Once more: a child that was cut away must not go by the cascade of its owner.
    _keep_owners(everything, decisions)
    return Plan(decisions=tuple(decisions[c.workflow.uid] for c in everything), refusal=refusal)


def intersection(planned: Plan, now_planned: Plan) -> tuple[Decision, ...]:
    """What both the plan and the same policy on the cluster as it is now remove, in the same version."""
    still = {d.uid: d.resource_version for d in now_planned.removals}
    return tuple(d for d in planned.removals if still.get(d.uid) == d.resource_version)


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
        phase=candidate.phase,
        created_at=workflow.created_at,
        finished_at=candidate.finished_at,
        resource_version=workflow.resource_version,
        verdict=Verdict.REMOVE if opinion.removes else Verdict.KEEP,
        reason=opinion.reason,
        sentence=opinion.sentence,
        rule=opinion.rule,
        rank=opinion.rank,
        surplus=opinion.removes,
        lost_logs=proven.logs.lost if proven else 0,
    )


def _ineligible(candidate: Candidate) -> Decision:
    workflow = candidate.workflow
    if workflow.deleting:
        reason = Reason.FINALIZING
        text = sentence(reason, detail=", ".join(workflow.finalizers) or "none")
    else:
        reason = Reason.NOT_FINISHED
        text = sentence(reason, phase=candidate.phase or "unknown")
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
    held: Mapping[str, str],
) -> Decision:
    """Keep what policy would remove but must not; the first reason that holds is named."""
    workflow = candidate.workflow
    if labels.HOLD in workflow.annotations:
        why = workflow.annotations[labels.HOLD]
        return decision.kept_because(Reason.HELD, detail=f"annotation {labels.HOLD}: {why}")
    if workflow.namespace in held:
        why = held[workflow.namespace]
        detail = f"namespace {workflow.namespace} has {labels.HOLD}: {why}"
        return decision.kept_because(Reason.HELD, detail=detail)
    selector = policy.archive_selector
    if selector is not None and not selector.matches(workflow.labels):
        return decision.kept_because(Reason.NOT_SELECTED)
    proven = candidate.proven
    if proven is None:
        return decision.kept_because(Reason.UNPROVEN, detail=_unproven(candidate))
    if not proven.logs.is_settled:
        count = proven.logs.unsettled
        noun = "log is" if count == 1 else "logs are"
        detail = f"{count} {noun} not settled: {proven.logs.first_reason}"
        return decision.kept_because(Reason.UNSETTLED_LOGS, detail=detail)
    if proven.facts.artifact_gc_deletes_logs:
        return decision.kept_because(Reason.ARTIFACT_GC)
    if now - proven.proven_at < policy.proof_age:
        return decision.kept_because(Reason.PROOF_TOO_YOUNG, detail=show_time(proven.proven_at))
    return decision


def _unproven(candidate: Candidate) -> str:
    if candidate.doubt:
        return candidate.doubt
    proof = candidate.proof
    if proof is None:
        return "no archive row was compared with it yet"
    if not proof.row_exists:
        return "its archive row is gone"
    return (
        f"proven at resourceVersion {proof.resource_version}, "
        f"now at {candidate.workflow.resource_version}"
    )


def _keep_owners(everything: Sequence[Candidate], decisions: dict[str, Decision]) -> None:
    """Background deletion cascades, so an owner stays as long as one Workflow that it owns stays."""
    changed = True
    while changed:
        changed = False
        for candidate in everything:
            child = decisions[candidate.workflow.uid]
            if child.verdict is Verdict.REMOVE:
                continue
            for owner in candidate.workflow.owners:
                decision = decisions.get(owner.uid)
                if decision is not None and decision.verdict is Verdict.REMOVE:
                    decisions[owner.uid] = decision.kept_because(
                        Reason.HAS_DEPENDANTS,
                        detail=f"workflow {candidate.workflow.path}",
                    )
                    changed = True


def _cut(decisions: dict[str, Decision], *, limit: int) -> None:
    """`max_deletions` cuts the plan: the oldest go first, the others wait."""
    removals = Plan(decisions=tuple(decisions.values())).removals
    for decision in removals[max(limit, 0) :]:
        decisions[decision.uid] = decision.kept_because(Reason.WAITING, limit=limit)


def _refusal(removals: int, *, finished: int, max_share: float) -> str:
    """`max_share` refuses the whole plan: a slip in the policy shows as a plan that removes nearly all."""
    if finished < SHARE_COUNTS_FROM or removals <= max_share * finished:
        return ""
    return (
        f"{removals} of {finished} finished workflows would be deleted, "
        f"more than brakes.max_share {max_share:g} allows. If that is meant, "
        "raise brakes.max_share in retention.yaml and plan again."
    )
