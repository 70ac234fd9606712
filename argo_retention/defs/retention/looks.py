"""A retention plan as people look at it in the UI: tables, a picture, and what is new in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from argo_retention.core.planning import Decision
from argo_retention.core.reasons import Reason
from argo_retention.defs.metadata import exceptions_table, table
from argo_retention.defs.plots import stacked_bars
from argo_retention.operations.plan_figures import (
    Difference,
    by_age,
    by_rule_and_namespace,
)
from argo_retention.operations.planning import MadePlan, reasons_of, refused
from argo_retention.operations.previewing import Effect, effect_of

NAMESPACES_SHOWN = 8
LABEL_LENGTH = 11
SHOWN_EFFECTS = {
    Effect.DELETE: "delete",
    Effect.WAIT: "wait",
    Effect.HOLD_BACK: "hold back",
    Effect.KEEP: "keep",
}


def looks_of(made: MadePlan, diff: Difference, *, now: datetime) -> Mapping[str, Any]:
    """Metadata of the materialization."""
    decisions = made.plan.decisions
    held_back = refused(decisions)
    return {
        "dagster/row_count": len(decisions),
        "dagster/uri": made.uri,
        "plan_id": made.record.plan_id,
        "remove": len(made.plan.removals),
        "waiting": sum(1 for d in decisions if d.reason is Reason.WAITING),
        "by_rule_and_namespace": _groups(decisions),
        "by_age": _ages(decisions, now=now),
        "by_namespace": _namespaces(decisions),
        "removals": exceptions_table(table_of(made.plan.removals)),
        "difference": _difference(diff),
        "reasons": dict(reasons_of(decisions)),
        "lost_logs": sum(d.lost_logs for d in made.plan.removals),
        "refused": len(held_back),
        "refused_reasons": dict(reasons_of(held_back)),
        "brake": made.plan.refusal or "no",
        "exceptions": exceptions_table(table_of(held_back)),
    }


def table_of(decisions: Sequence[Decision]) -> list[tuple[str, str, str]]:
    """(workflow, reason, sentence) of each."""
    return [(f"{d.namespace}/{d.name}", d.reason.value, d.sentence) for d in decisions]


def _groups(decisions: Sequence[Decision]) -> Any:
    headings = ("rule", "namespace", "found", *SHOWN_EFFECTS.values(), "ineligible")
    return table(
        headings,
        [
            (
                group.rule or "(no rule)",
                group.namespace,
                group.effects.total(),
                *(group.effects[effect] for effect in SHOWN_EFFECTS),
                group.effects[Effect.LEAVE],
            )
            for group in by_rule_and_namespace(decisions)
        ],
    )


def _ages(decisions: Sequence[Decision], *, now: datetime) -> Any:
    ages = by_age(decisions, now=now)
    return stacked_bars(
        "Finished workflows by age",
        [label for label, _ in ages],
        {word: [effects[effect] for _, effects in ages] for effect, word in SHOWN_EFFECTS.items()},
    )


def _namespaces(decisions: Sequence[Decision]) -> Any:
    """Those that lose most; one namespace alone is no picture."""
    effects: dict[str, Counter[Effect]] = {}
    for decision in decisions:
        effects.setdefault(decision.namespace, Counter())[effect_of(decision)] += 1
    if len(effects) <= 1:
        return dg.MetadataValue.md("There is one namespace.")
    most = sorted(effects.items(), key=lambda pair: (-pair[1][Effect.DELETE], pair[0]))
    shown = dict(most[:NAMESPACES_SHOWN])
    return stacked_bars(
        "Finished workflows by namespace, those that lose most",
        [shortened(name) for name in shown],
        {
            word: [counts[effect] for counts in shown.values()]
            for effect, word in SHOWN_EFFECTS.items()
        },
    )


def shortened(name: str) -> str:
    """For a label under a bar."""
    return name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…"


def _difference(diff: Difference) -> str:
    if diff.why_none:
        return f"Not compared: {diff.why_none}."
    if not diff.more_count and not diff.less_count:
        return f"It removes what plan {diff.plan_id} would remove, of what is still there."
    said = [f"Against plan {diff.plan_id}:"]
    for count, names, word in (
        (diff.more_count, diff.more, "more to be removed"),
        (diff.less_count, diff.less, "no longer to be removed"),
    ):
        if count:
            more = f" and {count - len(names)} others" if count > len(names) else ""
            said.append(f"{count} {word} ({', '.join(names)}{more})")
    return " ".join([said[0], "; ".join(said[1:])]) + "."
