"""`argo-retention explain`: the whole life of one workflow, live or long gone; nothing is written."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import console, print_json, safe, show_moment, table
from argo_retention.core import labels
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogRecord
from argo_retention.operations.explaining import Life, explain
from argo_retention.operations.previewing import effect_of
from argo_retention.sites import load_settings, open_site

ANNOTATIONS = (labels.HOLD, labels.ARCHIVE_TTL)


@click.command("explain")
@click.argument("subject", metavar="NAMESPACE/NAME|UID")
@cluster_option
@config_option
@click.option("--all", "show_all", is_flag=True, help="Show every workflow of that name in full.")
@json_option
def command(subject: str, cluster: str | None, config: Path, show_all: bool, as_json: bool) -> int:
    """Show the whole life of a workflow: seen, logs, archive, decisions, deletion, expiry. Times are UTC."""
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with open_site(
        settings, name, run_id="", root_run="", by_whom="argo-retention explain"
    ) as site:
        lives = explain(site, subject)
    in_full = lives if show_all else lives[:1]
    if as_json:
        brief = [{"uid": life.uid, "standing": life.standing} for life in lives[len(in_full) :]]
        print_json(
            {"cluster": name, "workflows": [document(life) for life in in_full], "others": brief}
        )
        return 0
    out = console()
    if len(lives) > 1:
        rows = [(life.uid, _began(life), life.standing) for life in lives]
        title = f"{subject}: {len(lives)} workflows had this name, newest first"
        out.print(table(title, ("uid", "earliest record", "now"), rows))
    for life in in_full:
        _print(out, life)
    return 0


def document(life: Life) -> dict[str, Any]:
    """One life as JSON."""
    live = life.live
    return {
        "uid": life.uid,
        "namespace": life.namespace,
        "name": life.name,
        "standing": life.standing,
        "removed_by_others": life.removed_by_others,
        "live": None if live is None else _live_document(live),
        "row": life.row,
        "proof": life.proof,
        "logs": life.logs,
        "named_only": life.named_only,
        "retention": life.decision,
        "expiry": life.expiry,
        "deletions": life.deletions,
        "expiry_unit": life.expiry_unit,
        "events": life.events,
    }


def _live_document(live: LiveWorkflow) -> dict[str, Any]:
    return {
        "phase": live.phase,
        "resource_version": live.resource_version,
        "created_at": live.created_at,
        "finished": live.is_finished,
        "deleting": live.deleting,
        "labels": _that_matter(live),
        "finalizers": live.finalizers,
        "owners": live.owners,
    }


def _that_matter(live: LiveWorkflow) -> dict[str, str]:
    """Argo's labels, and our annotations."""
    own = {key: value for key, value in live.labels.items() if key.startswith(labels.PREFIX)}
    return own | {key: live.annotations[key] for key in ANNOTATIONS if key in live.annotations}


def _print(out: Console, life: Life) -> None:
    rows: list[tuple[str, object]] = [
        ("uid", life.uid),
        ("now", life.standing),
        *_of_cluster(life),
        ("archive row", _archived(life)),
        ("proof", _proven(life)),
    ]
    decision, expiry = life.decision, life.expiry
    if decision is not None:
        rows.append(("retention plan", f"{effect_of(decision).value}: {decision.sentence}"))
        rows.append(("  by rule", _by_rule(decision.rule, decision.rank)))
    if expiry is not None:
        rows.append(("expiry plan", f"{effect_of(expiry).value}: {expiry.sentence}"))
        rows.append(("  by rule", expiry.rule or "(no rule)"))
    out.print(table(f"{life.namespace}/{life.name}", ("", ""), rows))
    events = [(show_moment(event.at) or "(unknown)", event.what) for event in life.events]
    out.print(table("What happened (UTC)", ("at", "what"), events))
    _print_logs(out, life)


def _of_cluster(life: Life) -> list[tuple[str, object]]:
    live = life.live
    if live is None:
        what = "Argo or a person; the ledger has no deletion of it"
        return [("removed by", what)] if life.removed_by_others else []
    seen = f"resourceVersion {live.resource_version}" + (", being deleted" if live.deleting else "")
    finalizers = [("finalizers", ", ".join(live.finalizers))] if live.finalizers else []
    owners = [("owned by", f"{owner.kind} {owner.name}") for owner in live.owners]
    return [("in the cluster", seen), *_that_matter(live).items(), *finalizers, *owners]


def _archived(life: Life) -> str:
    row = life.row
    if row is None:
        return "none"
    version = f", resourceVersion {row.resource_version}" if row.resource_version else ""
    same = "the very row that was proven" if row.is_proven else "not the row that was proven"
    return f"{row.phase}, digest {row.digest}{version}; {same}"


def _proven(life: Life) -> str:
    proof = life.proof
    if proof is None:
        return "none; the next archive run compares it" if life.live is not None else "none"
    text = f"resourceVersion {proof.resource_version}, at {show_moment(proof.proven_at)}"
    if proof.expired_while_live:
        return text + "; its row expired on purpose while it is in the cluster"
    if life.live is not None and not proof.holds_for(life.live.resource_version):
        return text + f"; now at {life.live.resource_version}, so it must be proven anew"
    if proof.added:
        return text + f"; entries added to the row so that Argo finds the logs: {len(proof.added)}"
    return text


def _by_rule(rule: str, rank: int | None) -> str:
    return (rule or "(no rule)") + (f", rank {rank}" if rank is not None else "")


def _print_logs(out: Console, life: Life) -> None:
    rows = [
        (f"{log.node_id}/{log.container}", log.state.value, _object(log), log.reason)
        for log in life.logs
    ]
    rows += [
        ("", "named by the row", f"s3://{named.bucket}/{named.key}", "not recorded by us")
        for named in life.named_only
    ]
    if rows:
        gone = life.expiry_unit is not None and life.expiry_unit.stage == "done"
        title = "Logs, as they were before they expired" if gone else "Logs"
        out.print(table(title, ("log", "state", "object", "why"), rows))
    if life.expiry_unit is not None and life.expiry_unit.kept_objects:
        out.print(safe("Log objects that stayed when it expired:"))
        for kept in life.expiry_unit.kept_objects:
            out.print(safe(f"  {kept}"))
        out.print()


def _object(log: LogRecord) -> str:
    if not log.key:
        return ""
    size = f", {log.size:,} bytes" if log.size is not None else ""
    source = f", by {log.source.value}" if log.source.value else ""
    return f"s3://{log.bucket}/{log.key}{size}{source}"


def _began(life: Life) -> str:
    return next((show_moment(event.at) for event in life.events if event.at is not None), "")
