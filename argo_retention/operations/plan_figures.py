"""A plan as people look at it: by rule and namespace, by age, and against the plan before."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from argo_retention.core.ledger import PlanRecord
from argo_retention.core.planning import Decision, Plan
from argo_retention.core.reasons import Verdict
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.previewing import Effect, effect_of
from argo_retention.operations.site import Site

NAMES_KEPT = 20
#: Ages since creation, oldest last.
AGES = (
    ("under 1 h", timedelta(hours=1)),
    ("1 to 6 h", timedelta(hours=6)),
    ("6 to 24 h", timedelta(days=1)),
    ("1 to 3 d", timedelta(days=3)),
    ("3 to 7 d", timedelta(days=7)),
    ("7 to 30 d", timedelta(days=30)),
    ("over 30 d", timedelta.max),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Counts of one rule in one namespace."""

    rule: str
    namespace: str
    effects: Counter[Effect]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What this plan removes that the one before did not, and the other way round."""

    plan_id: str  # of the one before; "" where there is none to compare with
    why_none: str
    more: Sequence[str]  # namespace/name, the first few
    more_count: int
    less: Sequence[str]  # still in the cluster
    less_count: int


def by_rule_and_namespace(decisions: Sequence[Decision]) -> list[Group]:
    """One group for each pair, those that lose most first."""
    counts: dict[tuple[str, str], Counter[Effect]] = {}
    for decision in decisions:
        counts.setdefault((decision.rule, decision.namespace), Counter())[effect_of(decision)] += 1
    groups = [Group(rule=r, namespace=n, effects=effects) for (r, n), effects in counts.items()]
    return sorted(groups, key=lambda g: (-g.effects[Effect.DELETE], g.rule, g.namespace))


def by_age(decisions: Sequence[Decision], *, now: datetime) -> list[tuple[str, Counter[Effect]]]:
    """Age since creation → what becomes of those; what does not finish or goes already is left out."""
    found = [(label, Counter[Effect]()) for label, _ in AGES]
    for decision in decisions:
        if decision.verdict is Verdict.INELIGIBLE:
            continue
        age = now - decision.created_at
        place = next(
            i for i, (_, limit) in enumerate(AGES) if age < limit or limit == timedelta.max
        )
        found[place][1][effect_of(decision)] += 1
    return found


def last_plan(site: Site) -> PlanRecord | None:
    """The retention plan before; to be asked before a new one is recorded."""
    installation = site.installation
    record = site.archive.plan_record(clustername=installation.clustername, kind="retention")
    return record if record is not None and record.instanceid == installation.instanceid else None


def difference(site: Site, plan: Plan, before: PlanRecord | None) -> Difference:
    """Compare the removals; a plan whose file is gone is none to compare with."""
    if before is None:
        return _none("this is the first plan")
    try:
        removed = {
            row["uid"]
            for batch in site.tables.read(before.path)
            for row in batch
            if row["verdict"] == Verdict.REMOVE.value
        }
    except ArgoRetentionError as error:
        return _none(f"plan {before.plan_id} cannot be read: {str(error).partition(chr(10))[0]}")
    more = [f"{d.namespace}/{d.name}" for d in plan.removals if d.uid not in removed]
    less = [
        f"{d.namespace}/{d.name}"
        for d in plan.decisions
        if d.uid in removed and d.verdict is not Verdict.REMOVE
    ]
    return Difference(
        plan_id=before.plan_id,
        why_none="",
        more=more[:NAMES_KEPT],
        more_count=len(more),
        less=less[:NAMES_KEPT],
        less_count=len(less),
    )


def _none(why: str) -> Difference:
    return Difference(plan_id="", why_none=why, more=(), more_count=0, less=(), less_count=0)
