"""`argo-retention status`: how each cluster stands, one screen a cluster; nothing is written."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json, show_moment, table
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.reporting import PLAN_KINDS, Report, report
from argo_retention.sites import load_settings, open_site

NO_RUN_YET = "no run was here yet; next: `argo-retention run archive` (it deletes nothing)"


@click.command("status")
@cluster_option
@config_option
@json_option
def command(cluster: str | None, config: Path, as_json: bool) -> int:
    """Show what is live, archived, proven, deleted and expired, and who works on it.

    All clusters of the settings, or one by --cluster. A cluster that cannot be reached does not hide the
    others.
    """
    settings = load_settings(config)
    names = [chosen_cluster(settings, cluster)] if cluster is not None else list(settings.clusters)
    out = console()
    documents: dict[str, Any] = {}
    exit_code = 0
    for name in names:
        try:
            with open_site(
                settings, name, run_id="", root_run="", by_whom="argo-retention status"
            ) as site:
                seen = report(site)
        except ArgoRetentionError as error:
            exit_code = max(exit_code, error.exit_code)
            documents[name] = {"error": str(error)}
            if not as_json:
                out.print(paragraph(f"{name}: {error}"), style="red")
                out.print()
            continue
        documents[name] = document(seen)
        if not as_json:
            _print(out, name, seen)
    if as_json:
        print_json({"clusters": documents})
    return exit_code


def document(seen: Report) -> dict[str, Any]:
    """One cluster as JSON."""
    installation = seen.installation
    return {
        "configmap": f"{installation.controller_namespace}/{installation.configmap}",
        "found_by": installation.found_by,
        "clustername": installation.clustername,
        "instanceid": installation.instanceid,
        "managed_namespace": installation.managed_namespace,
        "mode": "apply" if installation.applies else "observe",
        "database": seen.database,
        "archive_ready": seen.archive_ready,
        "paused": seen.paused,
        "snapshot": seen.snapshot,
        "counts": seen.counts,
        "lease": seen.lease,
        "plans": seen.plans,
    }


def _print(out: Console, name: str, seen: Report) -> None:
    installation = seen.installation
    configmap = f"{installation.controller_namespace}/{installation.configmap}"
    rows: list[tuple[str, object]] = [
        ("ConfigMap", f"{configmap} ({installation.found_by})"),
        ("clusterName", installation.clustername),
        ("instanceID", installation.instanceid or "(none)"),
        ("namespaces", installation.managed_namespace or "all"),
        ("mode", "apply" if installation.applies else "observe (nothing is deleted)"),
        *([("paused", seen.paused)] if seen.paused else []),
        ("database", _database(seen)),
        ("live", _live(seen)),
        *_counted(seen),
        ("lease", _lease(seen)),
        *((f"last {kind} plan", _plan(seen, kind)) for kind in PLAN_KINDS),
    ]
    out.print(table(name, ("", ""), rows))


def _database(seen: Report) -> str:
    facts = seen.database
    version = facts.schema_version
    argo = "Argo's tables are not there" if version is None else f"Argo's schema_version {version}"
    read_only = ", read-only" if facts.is_read_only else ""
    return f"PostgreSQL {facts.server_version}, {argo}{read_only}"


def _live(seen: Report) -> str:
    snapshot = seen.snapshot
    if snapshot is None:
        return NO_RUN_YET if not seen.archive_ready else "no snapshot yet"
    return (
        f"{snapshot.live:,}, {snapshot.finished:,} of them finished "
        f"(snapshot {show_moment(snapshot.taken_at)})"
    )


def _counted(seen: Report) -> list[tuple[str, object]]:
    """Counts in a fixed order; states of logs and outcomes of deletions each on one line."""
    counts = seen.counts
    if not seen.archive_ready:
        return []
    expired = f"{counts.get('expired', 0):,}"
    if counts.get("expiry_open"):
        expired += f", {counts['expiry_open']:,} begun and open"
    if counts.get("expired_while_live"):
        expired += f", {counts['expired_while_live']:,} while still in the cluster"
    return [
        ("archive rows", counts.get("rows", 0)),
        ("proven", counts.get("proven", 0)),
        ("logs", _together(seen, "logs_")),
        ("deletions", _together(seen, "deletions_")),
        ("expired", expired),
        ("log references", counts.get("references", 0)),
    ]


def _together(seen: Report, prefix: str) -> str:
    found = sorted(
        (what.removeprefix(prefix), count)
        for what, count in seen.counts.items()
        if what.startswith(prefix) and count
    )
    return ", ".join(f"{count:,} {what}" for what, count in found) or "none"


def _lease(seen: Report) -> str:
    lease = seen.lease
    if lease is None:
        return "free"
    return (
        f"run {lease['root_run']} on {lease['host']} since {show_moment(lease['since'])} "
        f"(last sign {show_moment(lease['heartbeat'])})"
    )


def _plan(seen: Report, kind: str) -> str:
    record = seen.plans.get(kind)
    if record is None:
        return "none"
    return (
        f"{record.plan_id}, {record.removals:,} to go, made {show_moment(record.made_at)}, "
        f"{record.state}"
    )
