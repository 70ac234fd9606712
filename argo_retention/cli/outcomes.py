"""The outcome of a run as tables: one a stage, exceptions with their reason."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console

from argo_retention.cli.executing import RunOutcome
from argo_retention.cli.rendering import paragraph, safe, table

STAGES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "workflow_snapshot": ("snapshot", ("found", "finished", "by_phase")),
    "log_objects": (
        "logs",
        ("saved", "saved_bytes", "stored", "not_wanted", "lost", "unsettled"),
    ),
    "archived_workflows": (
        "archive",
        ("finished", "proven_before", "archived", "proven_without_writing", "labelled", "refused"),
    ),
    "retention_plan": (
        "plan",
        ("plan_id", "remove", "waiting", "refused", "lost_logs", "brake", "reasons"),
    ),
    "retention_outcome": ("retention", ("mode", "planned", "deleted", "refused", "outcomes")),
    "expiry_plan": ("expiry plan", ("remove", "brake", "reasons")),
    "expiry_outcome": (
        "expiry",
        ("mode", "planned", "expired", "resumed", "refused", "objects"),
    ),
}
EXCEPTIONS_SHOWN = 12


def print_outcome(console: Console, outcome: RunOutcome) -> None:
    """One table a stage, then how it ended."""
    for asset, (stage, columns) in STAGES.items():
        metadata = outcome.assets.get(asset)
        if metadata is None:
            continue
        shown = [(name, metadata[name]) for name in columns if name in metadata]
        rows = [(name.replace("_", " "), _text(value)) for name, value in shown]
        console.print(table(f"{outcome.cluster}: {stage}", ("", ""), rows))
        print_exceptions(console, outcome.cluster, metadata)
    if outcome.failure:
        console.print(paragraph(outcome.failure), style="red", soft_wrap=True)
    elif outcome.failed_checks:
        console.print(safe(f"Checks that did not pass: {', '.join(outcome.failed_checks)}."))
    console.print(safe(f"Run {outcome.run_id} of {outcome.job}: {_ended(outcome)}"))


def _ended(outcome: RunOutcome) -> str:
    if not outcome.success:
        return "failed"
    return "done, something was refused" if outcome.exit_code else "done"


def print_exceptions(console: Console, cluster: str, metadata: Mapping[str, Any]) -> None:
    """The first rows of the Markdown table that the asset has in the UI too."""
    lines = str(metadata.get("exceptions") or "").splitlines()[2:]
    for line in lines[:EXCEPTIONS_SHOWN]:
        workflow, reason, why = [*line.strip("| ").split(" | "), "", ""][:3]
        console.print(safe(f"  {cluster}  {workflow}  {reason}: {why}"), soft_wrap=True)
    if len(lines) > EXCEPTIONS_SHOWN:
        console.print(safe(f"  {cluster}  and {len(lines) - EXCEPTIONS_SHOWN} more"))


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {count}" for key, count in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)
