"""`argo-retention plan`: what would go now and why, or a plan that a run kept; nothing is written."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.moments import MOMENT
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json, safe, show_moment, table
from argo_retention.core.expiry_planning import ExpiryDecision, ExpiryPlan
from argo_retention.core.planning import Decision, Plan
from argo_retention.operations.previewing import (
    Effect,
    Preview,
    by_reason,
    by_rule,
    effect_of,
    kept_plan,
    preview,
    preview_at,
)
from argo_retention.sites import load_settings, open_site

_D = TypeVar("_D", bound=Decision | ExpiryDecision)

NO_RUN_YET = (
    "No run was here yet: there is no ledger, so nothing is proven and nothing would be deleted.\n"
    "Next: `argo-retention run archive` archives, saves logs and proves; it deletes nothing."
)


@click.command("plan")
@cluster_option
@config_option
@click.option("--plan-id", help="Show this plan, as a run made and kept it, instead of a new look.")
@click.option(
    "--at",
    "moment",
    type=MOMENT,
    metavar="UTC",
    help="As if it were 2027-01-31 or 2027-01-31T06:00, from the last snapshot instead of a new look.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many workflows to name in each list; 0 names all.",
)
@json_option
def command(
    cluster: str | None,
    config: Path,
    plan_id: str | None,
    moment: datetime | None,
    limit: int,
    as_json: bool,
) -> int:
    """Show what would be deleted and expired now, and why; nothing is changed.

    With --config of another file: what another policy would do. Ends with 1 when a brake would refuse.
    """
    if plan_id and moment is not None:
        raise click.UsageError(
            "--at and --plan-id exclude each other: a kept plan is of its own moment."
        )
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with open_site(settings, name, run_id="", root_run="", by_whom="argo-retention plan") as site:
        if plan_id:
            seen = kept_plan(site, plan_id)
        elif moment is not None:
            seen = preview_at(site, moment.replace(tzinfo=UTC))
        else:
            seen = preview(site)
    if as_json:
        print_json(document(seen, limit=limit))
    else:
        _print(console(), seen, limit=limit)
    return 1 if seen.refusals else 0


def document(seen: Preview, *, limit: int) -> dict[str, Any]:
    """The preview as one JSON document; lists are cut at `limit`, counts are whole."""
    return {
        "cluster": seen.cluster,
        "at": seen.at,
        "mode": "apply" if seen.applies else "observe",
        "archive_ready": seen.archive_ready,
        "kept": seen.kept,
        "snapshot_at": seen.snapshot_at,
        "refusals": seen.refusals,
        "runs_needed": seen.runs_needed,
        "retention": _section(seen.retention, limit=limit),
        "expiry": _section(seen.expiry, limit=limit),
    }


def _section(plan: Plan | ExpiryPlan | None, *, limit: int) -> dict[str, Any] | None:
    if plan is None:
        return None
    decisions = plan.decisions
    held_back = _with_effect(decisions, Effect.HOLD_BACK)
    section: dict[str, Any] = {
        "found": len(decisions),
        "delete": len(plan.removals),
        "wait": len(_with_effect(decisions, Effect.WAIT)),
        "hold_back": len(held_back),
        "by_rule": by_rule(decisions),
        "by_reason": by_reason(decisions),
        "deletions": _first(plan.removals, limit),
        "held_back": _first(held_back, limit),
    }
    if isinstance(plan, Plan):
        losing = _losing_logs(plan)
        section["lost_logs"] = sum(d.lost_logs for d in losing)
        section["losing_logs"] = _first(losing, limit)
    return section


def _print(out: Console, seen: Preview, *, limit: int) -> None:
    mode = "apply" if seen.applies else "observe: a run deletes nothing"
    if seen.kept is not None:
        kept = seen.kept
        title = f"{seen.cluster}: {kept.kind} plan {kept.plan_id} of run {kept.root_run}"
        out.print(safe(f"{title}, made {show_moment(seen.at)}, {kept.state} (mode {mode})"))
    elif seen.snapshot_at is not None:
        since = f"from the snapshot of {show_moment(seen.snapshot_at)}"
        out.print(
            safe(f"{seen.cluster}: as if it were {show_moment(seen.at)}, {since} (mode {mode})")
        )
    else:
        out.print(safe(f"{seen.cluster}: looked {show_moment(seen.at)} (mode {mode})"))
    out.print()
    if seen.retention is not None:
        _print_plan(out, seen.cluster, "retention", seen.retention, limit=limit)
        _print_lost_logs(out, seen.cluster, seen.retention, limit=limit)
        _print_runs(out, seen, seen.retention)
    if seen.expiry is not None:
        _print_plan(out, seen.cluster, "expiry", seen.expiry, limit=limit)
    if not seen.archive_ready:
        out.print(paragraph(NO_RUN_YET))
    for refusal in seen.refusals:
        out.print(paragraph(f"A run would refuse: {refusal}"), style="red")


def _print_plan(
    out: Console, cluster: str, kind: str, plan: Plan | ExpiryPlan, *, limit: int
) -> None:
    title = f"{cluster}: {kind}"
    decisions = plan.decisions
    if not decisions:
        nothing = (
            "no workflow is in the cluster" if kind == "retention" else "no row is past its TTL"
        )
        out.print(safe(f"{title}: {nothing}"))
        out.print()
        return
    verb = "deleted" if kind == "retention" else "expired"
    headings = ("rule", "found", f"would be {verb}", "wait", "held back", "kept", "ineligible")
    lines = by_rule(decisions)
    rows: list[tuple[object, ...]] = [
        (it.rule or "(no rule)", it.found, it.delete, it.wait, it.hold_back, it.keep, it.leave)
        for it in lines
    ]
    out.print(table(f"{title} by rule", headings, rows))
    why = [
        (it.effect.value, it.rule or "(no rule)", it.reason.value, it.count)
        for it in by_reason(decisions)
    ]
    out.print(table(f"{title} by reason", ("", "rule", "reason", "workflows"), why))
    _print_list(out, f"{title}, would be {verb}", plan.removals, limit=limit)
    held_back = _with_effect(decisions, Effect.HOLD_BACK)
    _print_list(out, f"{title}, held back", held_back, limit=limit)


def _print_list(
    out: Console, title: str, decisions: Sequence[Decision | ExpiryDecision], *, limit: int
) -> None:
    if not decisions:
        return
    shown = _first(decisions, limit)
    of = f" (first {len(shown)} of {len(decisions):,}; --limit 0 shows all)"
    rows = [(f"{d.namespace}/{d.name}", d.rule, d.reason.value, d.sentence) for d in shown]
    out.print(
        table(
            title + (of if len(shown) < len(decisions) else ""),
            ("workflow", "rule", "reason", "why"),
            rows,
        )
    )


def _print_lost_logs(out: Console, cluster: str, plan: Plan, *, limit: int) -> None:
    losing = _losing_logs(plan)
    if not losing:
        return
    count = sum(d.lost_logs for d in losing)
    rows = [(f"{d.namespace}/{d.name}", d.lost_logs) for d in _first(losing, limit)]
    title = (
        f"{cluster}: lost logs that would go with these: {count:,} (they cannot be had any more)"
    )
    out.print(table(title, ("workflow", "lost logs"), rows))


def _print_runs(out: Console, seen: Preview, plan: Plan) -> None:
    waiting = len(_with_effect(plan.decisions, Effect.WAIT))
    if not waiting:
        return
    takes = (
        f"all of them take {seen.runs_needed:,} runs"
        if seen.runs_needed
        else "it is 0, so they wait for ever"
    )
    out.print(safe(f"{waiting:,} more wait for later runs by brakes.max_deletions: {takes}."))
    out.print()


def _losing_logs(plan: Plan) -> list[Decision]:
    return [decision for decision in plan.removals if decision.lost_logs]


def _with_effect(
    decisions: Sequence[Decision] | Sequence[ExpiryDecision], effect: Effect
) -> list[Decision | ExpiryDecision]:
    return [decision for decision in decisions if effect_of(decision) is effect]


def _first(decisions: Sequence[_D], limit: int) -> Sequence[_D]:
    return decisions[:limit] if limit else decisions
