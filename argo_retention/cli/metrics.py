"""`argo-retention metrics`: numbers in Prometheus's text format, for a textfile collector."""

from collections.abc import Sequence
from pathlib import Path

import click
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from rich.console import Console

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import paragraph, print_json
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.measuring import Measured, measure
from argo_retention.sites import load_settings, open_site

#: Field of `Measured` → name and help.
GAUGES = {
    "snapshot_age": ("snapshot_age_seconds", "Since the last list that was believed."),
    "live": ("live_workflows", "Workflow objects in the last list."),
    "finished": ("finished_workflows", "Of these, finished ones."),
    "unproven": ("unproven_workflows", "Finished and not proven in the archive."),
    "archive_lag": ("archive_lag_seconds", "Age of the oldest finished one that is not proven."),
    "rows": ("archived_workflows", "Rows of the archive."),
    "vanished": ("vanished_workflows", "Left the cluster without argo_retention."),
    "expired": ("expired_workflows", "Rows that expired with their logs."),
    "unsettled_logs": ("unsettled_logs", "Logs that forbid deletion."),
    "log_bytes": ("log_bytes", "Stored logs that have not expired."),
    "archive_bytes": ("archive_bytes", "Argo's archive tables with their indexes."),
    "to_delete": ("to_delete_in_7_days", "Workflows that policy lets go within seven days."),
    "to_expire": ("to_expire_in_7_days", "Rows that expire within seven days."),
}
PREFIX = "argo_retention"


@click.command("metrics")
@cluster_option
@config_option
@json_option
def command(cluster: str | None, config: Path, as_json: bool) -> int:
    """Print numbers of all clusters, or one, in Prometheus's text format.

    From the ledger and the last snapshot; nothing is listed. `up` is 0 for a cluster that cannot be read,
    which does not hide the others.
    """
    settings = load_settings(config)
    names = [chosen_cluster(settings, cluster)] if cluster is not None else list(settings.clusters)
    found: dict[str, Measured | None] = {}
    exit_code = 0
    for name in names:
        try:
            with open_site(
                settings, name, run_id="", root_run="", by_whom="argo-retention metrics"
            ) as site:
                found[name] = measure(site)
        except ArgoRetentionError as error:
            exit_code = max(exit_code, error.exit_code)
            Console(stderr=True, highlight=False).print(paragraph(f"{name}: {error}"))
    if as_json:
        print_json(found)
    else:
        click.echo(prometheus_text(names, found), nl=False)
    return exit_code


def prometheus_text(names: Sequence[str], found: dict[str, Measured | None]) -> str:
    """All clusters in one exposition; a cluster without a run has `up` only."""
    registry = CollectorRegistry()
    up = Gauge(f"{PREFIX}_up", "1 where the cluster could be read.", ["cluster"], registry=registry)
    gauges = {
        field: Gauge(f"{PREFIX}_{name}", text, ["cluster"], registry=registry)
        for field, (name, text) in GAUGES.items()
    }
    by_rule = Gauge(
        f"{PREFIX}_deleted_workflows",
        "Left the cluster by argo_retention, by the rule.",
        ["cluster", "rule"],
        registry=registry,
    )
    for name in names:
        up.labels(name).set(name in found)
        measured = found.get(name)
        if measured is None:
            continue
        for field, gauge in gauges.items():
            gauge.labels(name).set(getattr(measured, field))
        for rule, number in measured.deleted_by_rule.items():
            by_rule.labels(name, rule).set(number)
    return generate_latest(registry).decode()
