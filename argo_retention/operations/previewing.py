"""What would go now, and why: the plans of this moment, without a lease and without writing anything.

It is what a run would plan, but for the graces that a run begins and the proofs that it would add first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from argo_retention.core.expiry_planning import ExpiryDecision, ExpiryPlan
from argo_retention.core.ledger import DatabaseFacts, PlanRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import Decision, Plan, plan_retention, runs_needed
from argo_retention.core.reasons import Reason, Verdict
from argo_retention.errors import (
    ClockSkewError,
    ConfigurationError,
    DatabaseError,
    IdentityError,
    ObjectStoreError,
)
from argo_retention.operations.expiry_plans import expiry_plan_now, read_expiry_plan
from argo_retention.operations.guarding import check_clocks, check_database
from argo_retention.operations.holding import holds_now
from argo_retention.operations.identifying import check_identity
from argo_retention.operations.planning import plan_now, read_plan
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import (
    last_snapshot,
    list_live,
    refusal_of_counts,
    workflows_of,
)


class Effect(StrEnum):
    """What a run would do with one workflow or row."""

    DELETE = "delete"  #: it goes
    WAIT = "wait"  #: it goes by a later run: `max_deletions` cut the plan
    HOLD_BACK = "hold back"  #: policy would let it go, something forbids it
    KEEP = "keep"  #: policy keeps it
    LEAVE = "leave"  #: policy does not speak of it


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleLine:
    """Counts of one rule; "" is what no rule speaks of."""

    rule: str
    found: int
    delete: int
    wait: int
    hold_back: int
    keep: int
    leave: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonLine:
    """How many of one rule have one reason."""

    rule: str
    effect: Effect
    reason: Reason
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """The plans of one look, or one plan that a run kept."""

    cluster: str
    at: datetime | None  # of the look; of the making of a kept plan
    applies: bool  # False: mode observe, a run deletes nothing
    archive_ready: bool  # False: no run was here yet, so there is no ledger and nothing is proven
    retention: Plan | None
    expiry: ExpiryPlan | None
    refusals: Sequence[str]  # why a run would stop before its first deletion
    runs_needed: int  # for the backlog of deletions under `max_deletions`; 0: it never ends
    kept: PlanRecord | None = None
    snapshot_at: datetime | None = None  # of the list that another day was planned from


def preview(site: Site) -> Preview:
    """Look and plan. Raises ClusterError, ListIncompleteError or DatabaseError when a server fails."""
    facts = site.archive.facts()
    ready = is_ready(facts)
    live = list_live(site)
    retention = plan_as_known(site, live, ready=ready)
    expiry = _expiry(site, live) if ready else None
    refusals = [
        *_unsound(site, facts),
        refusal_of_counts(site, len(live)) if ready else "",
        retention.refusal,
        expiry.refusal if expiry is not None else "",
    ]
    return Preview(
        cluster=site.installation.partition,
        at=site.clock(),
        applies=site.installation.applies,
        archive_ready=ready,
        retention=retention,
        expiry=expiry,
        refusals=[text for text in refusals if text],
        runs_needed=runs_needed(retention, site.installation.policy.brakes),
    )


def preview_at(site: Site, moment: datetime) -> Preview:
    """What a run at another moment would plan, if nothing but time passed since the last snapshot.

    Raises ConfigurationError where no run took a snapshot yet, DatabaseError or ObjectStoreError when a
    server fails. The cluster is asked for what is held only.
    """
    installation = site.installation
    record = None
    if is_ready(site.archive.facts()):
        record = last_snapshot(site)
    if record is None:
        raise ConfigurationError(
            f"Cluster {installation.partition}: there is no snapshot yet to plan another day from.\n"
            "Run `argo-retention run archive` once; it deletes nothing."
        )
    then = replace(site, clock=lambda: moment)
    listed = list(workflows_of(site, record))
    # The run that took the list may have deleted by it.
    left = site.archive.explained(
        clustername=installation.clustername, uids=[workflow.uid for workflow in listed]
    )
    live = [workflow for workflow in listed if workflow.uid not in left]
    retention = plan_as_known(then, live, ready=True)
    expiry = _expiry(then, live)
    return Preview(
        cluster=installation.partition,
        at=moment,
        applies=installation.applies,
        archive_ready=True,
        retention=retention,
        expiry=expiry,
        refusals=[text for text in (retention.refusal, expiry.refusal) if text],
        runs_needed=runs_needed(retention, installation.policy.brakes),
        snapshot_at=record.taken_at,
    )


def kept_plan(site: Site, plan_id: str) -> Preview:
    """A plan as a run kept it. Raises ConfigurationError where there is none."""
    installation = site.installation
    record = _record(site, plan_id) if is_ready(site.archive.facts()) else None
    if record is None:
        raise ConfigurationError(
            f"There is no plan {plan_id} for cluster {installation.partition}.\n"
            "`argo-retention status` names the last ones; leave out --plan-id to look at what would go now."
        )
    is_expiry = record.kind == "expiry"
    retention = None if is_expiry else read_plan(site, record)
    return Preview(
        cluster=installation.partition,
        at=record.made_at,
        applies=installation.applies,
        archive_ready=True,
        retention=retention,
        expiry=read_expiry_plan(site, record) if is_expiry else None,
        refusals=(),
        runs_needed=runs_needed(retention, installation.policy.brakes) if retention else 1,
        kept=record,
    )


def is_ready(facts: DatabaseFacts) -> bool:
    """Whether Argo's tables and ours are there; before the first run ours are not."""
    return facts.our_tables and facts.schema_version is not None


def plan_as_known(site: Site, live: Sequence[LiveWorkflow], *, ready: bool) -> Plan:
    """The retention plan for these; without our tables nothing is proven."""
    if ready:
        return plan_now(site, live, now=site.clock())
    return plan_retention(
        [Candidate(workflow=workflow) for workflow in live],
        policy=site.installation.policy,
        now=site.clock(),
        holds=holds_now(site, ready=False),
    )


def effect_of(decision: Decision | ExpiryDecision) -> Effect:
    """What a run would do, by the decision."""
    if decision.verdict is Verdict.REMOVE:
        return Effect.DELETE
    if decision.verdict is Verdict.INELIGIBLE:
        return Effect.LEAVE
    if decision.reason is Reason.WAITING:
        return Effect.WAIT
    if isinstance(decision, Decision):
        return Effect.HOLD_BACK if decision.is_refused else Effect.KEEP
    return Effect.KEEP if decision.reason in _EXPIRY_POLICY_KEEPS else Effect.HOLD_BACK


_EXPIRY_POLICY_KEEPS = frozenset({Reason.NO_POLICY, Reason.WITHIN_TTL})


def by_rule(decisions: Iterable[Decision | ExpiryDecision]) -> list[RuleLine]:
    """One line for each rule, by name; what no rule speaks of comes last."""
    counts: dict[str, Counter[Effect]] = {}
    for decision in decisions:
        counts.setdefault(decision.rule, Counter())[effect_of(decision)] += 1
    return [
        RuleLine(
            rule=rule,
            found=effects.total(),
            delete=effects[Effect.DELETE],
            wait=effects[Effect.WAIT],
            hold_back=effects[Effect.HOLD_BACK],
            keep=effects[Effect.KEEP],
            leave=effects[Effect.LEAVE],
        )
        for rule, effects in sorted(counts.items(), key=lambda item: (not item[0], item[0]))
    ]


def by_reason(decisions: Iterable[Decision | ExpiryDecision]) -> list[ReasonLine]:
    """One line for each rule and reason: first what goes, then what is held back, then what stays."""
    counts = Counter((d.rule, effect_of(d), d.reason) for d in decisions)
    order = list(Effect)
    lines = [
        ReasonLine(rule=rule, effect=effect, reason=reason, count=count)
        for (rule, effect, reason), count in counts.items()
    ]
    return sorted(
        lines, key=lambda it: (order.index(it.effect), not it.rule, it.rule, it.reason.value)
    )


def _record(site: Site, plan_id: str) -> PlanRecord | None:
    installation = site.installation
    for kind in ("retention", "expiry"):
        record = site.archive.plan_record(
            clustername=installation.clustername, kind=kind, plan_id=plan_id
        )
        if record is not None and record.instanceid == installation.instanceid:
            return record
    return None


def _expiry(site: Site, live: Sequence[LiveWorkflow]) -> ExpiryPlan:
    """With vanished rows as they are known; a run would begin the grace of new ones."""
    installation = site.installation
    vanished = site.archive.vanished(
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        namespace=installation.managed_namespace,
    )
    return expiry_plan_now(site, live, vanished=vanished)


def _unsound(site: Site, facts: DatabaseFacts) -> list[str]:
    """What `check_sound` of a run would refuse, short of opening the bucket."""
    texts = []
    try:
        check_database(facts)
        check_identity(site)
    except (DatabaseError, IdentityError, ObjectStoreError) as error:
        texts.append(str(error))
    try:
        check_clocks(
            site.clock(), {"the API server": site.cluster.server_time(), "the database": facts.now}
        )
    except ClockSkewError as error:
        texts.append(str(error))
    return texts
