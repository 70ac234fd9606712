"""What `demo` shows: one table a stage with a row for each cluster, exceptions with their reason."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console

from argo_retention.cli.executing import RunOutcome
from argo_retention.cli.outcomes import print_exceptions
from argo_retention.cli.rendering import paragraph, safe, table

Column = tuple[str, Callable[[Mapping[str, Mapping[str, Any]]], object]]


def _of(asset: str, name: str) -> Callable[[Mapping[str, Mapping[str, Any]]], object]:
    return lambda assets: assets.get(asset, {}).get(name, 0 if asset in assets else "-")


def _objects(word: str) -> Callable[[Mapping[str, Mapping[str, Any]]], object]:
    return lambda assets: (assets.get("expiry_outcome", {}).get("objects") or {}).get(word, 0)


def _kept(assets: Mapping[str, Mapping[str, Any]]) -> object:
    plan = assets.get("retention_plan")
    if plan is None:
        return "-"
    not_finished = plan["reasons"].get("not_finished", 0)
    return plan["dagster/row_count"] - plan["remove"] - not_finished


def _outcome(word: str) -> Callable[[Mapping[str, Mapping[str, Any]]], object]:
    return lambda assets: (assets.get("retention_outcome", {}).get("outcomes") or {}).get(word, 0)


COLUMNS: Mapping[str, Sequence[Column]] = {
    "archive": (
        ("found", _of("workflow_snapshot", "found")),
        ("finished", _of("workflow_snapshot", "finished")),
        ("logs saved", _of("log_objects", "saved")),
        ("logs stored", _of("log_objects", "stored")),
        ("lost", _of("log_objects", "lost")),
        ("unsettled", _of("log_objects", "unsettled")),
        ("archived", _of("archived_workflows", "archived")),
        ("proven as found", _of("archived_workflows", "proven_without_writing")),
        ("refused", _of("archived_workflows", "refused")),
    ),
    "retention": (
        ("finished", _of("workflow_snapshot", "finished")),
        ("kept", _kept),
        ("of these refused", _of("retention_plan", "refused")),
        ("to delete", _of("retention_plan", "remove")),
        ("deleted", _of("retention_outcome", "deleted")),
        ("held by a finalizer", _outcome("terminating")),
    ),
    "expiry": (
        ("rows past TTL", _of("expiry_plan", "remove")),
        ("expired", _of("expiry_outcome", "expired")),
        ("objects deleted", _objects("deleted")),
        ("objects gone", _objects("gone")),
        ("objects kept", _objects("kept")),
        ("failed", _of("expiry_outcome", "refused")),
    ),
}

TITLES: Mapping[str, str] = {
    "archive": "Archive: logs into S3, rows into Argo's tables, each proven",
    "retention": "Retention: what policy removes and nothing forbids leaves the cluster",
    "expiry": "Expiry: rows past their TTL go together with their log objects",
}

EXCEPTIONS_OF: Mapping[str, Sequence[str]] = {
    "archive": ("log_objects", "archived_workflows"),
    "retention": ("retention_plan", "retention_outcome"),
    "expiry": ("expiry_plan", "expiry_outcome"),
}


def print_stage(console: Console, stage: str, outcomes: Sequence[RunOutcome]) -> None:
    """The table of a stage, its exceptions, and failures."""
    columns = COLUMNS[stage]
    rows = [
        [outcome.cluster, *(value(outcome.assets) for _, value in columns)] for outcome in outcomes
    ]
    console.print(table(TITLES[stage], ["cluster", *(name for name, _ in columns)], rows))
    for outcome in outcomes:
        for asset in EXCEPTIONS_OF[stage]:
            print_exceptions(console, outcome.cluster, outcome.assets.get(asset, {}))
        if outcome.failure:
            text = f"{outcome.cluster}: {outcome.failure}"
            console.print(paragraph(text), style="red", soft_wrap=True)
    console.print()


def refused_reasons(outcomes: Sequence[RunOutcome], cluster: str) -> dict[str, int]:
    """Reason → how many finished workflows policy would remove and something forbids."""
    for outcome in outcomes:
        plan = outcome.assets.get("retention_plan")
        if outcome.cluster == cluster and plan is not None:
            return dict(plan["refused_reasons"])
    return {}


def print_counted(console: Console) -> None:
    """What the last lines count."""
    text = (
        "Counted afterwards in cluster, database and bucket, whoever did it; here every finished workflow "
        "counts, also one of another instanceID and one that a finalizer still holds:"
    )
    console.print(paragraph(text), soft_wrap=True)


def print_next_steps(console: Console) -> None:
    """What to try next."""
    console.print(
        safe("Try next: argo-retention demo --hello-worlds 12 --keep-count 4"), soft_wrap=True
    )
    console.print(safe("          argo-retention demo --break s3    (nothing may be deleted)"))
    console.print(safe("          make ui                           (the same in Dagster's UI)"))
    console.print()
