"""`argo-retention undo`: rows of what was deleted, kept for a while outside the database."""

from itertools import islice
from pathlib import Path

import click
import msgspec
import yaml

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json, table
from argo_retention.cli.working import working_on
from argo_retention.core.undo import Kept, copy_to_look_at, to_record
from argo_retention.operations.undoing import find_kept, kept_files, kept_rows, restore_row
from argo_retention.operations.undoing_logs import restore_logs
from argo_retention.sites import load_settings, open_site

FILES_SHOWN = 20


@click.group("undo")
def command() -> None:
    """Find rows of what was deleted or expired, and put them back. `list` and `show` need no database."""


@command.command("list")
@cluster_option
@config_option
@click.option("--run", "run_id", help="Show each workflow of this run.")
@click.option("--limit", default=FILES_SHOWN, show_default=True, help="How many lines.")
@json_option
def list_kept(
    cluster: str | None, config: Path, run_id: str | None, limit: int, as_json: bool
) -> int:
    """Show what is kept, newest first: a line a batch, or with --run a line a workflow."""
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with open_site(settings, name, run_id="", root_run="", by_whom="argo-retention undo") as site:
        files = kept_files(site)
        if run_id is None:
            shown = list(islice(files, limit))
            if as_json:
                print_json({"cluster": name, "files": shown})
                return 0
            rows = [(f.written_at, f.kind, f.run_id, f.rows) for f in shown]
            console().print(table(f"{name}: kept rows", ("at", "what", "run", "rows"), rows))
            return 0
        kept = [each for f in files if f.run_id == run_id for each in kept_rows(site, f.path)][
            :limit
        ]
    if as_json:
        print_json({"cluster": name, "rows": [_document(each) for each in kept]})
        return 0
    lines = [
        (each.at, each.kind, each.row.uid, f"{each.row.namespace}/{each.row.name}", each.reason)
        for each in kept
    ]
    title = f"{name}: kept rows of run {run_id}"
    console().print(table(title, ("at", "what", "uid", "workflow", "because it"), lines))
    return 0


@command.command("show")
@click.argument("uid")
@cluster_option
@config_option
@click.option(
    "--copy",
    "as_copy",
    is_flag=True,
    help="As an object for kubectl create, to be looked at.",
)
@json_option
def show(uid: str, cluster: str | None, config: Path, as_copy: bool, as_json: bool) -> int:
    """Print a kept workflow as YAML.

    With --copy it has no uid, finalizers, owners, ttlStrategy and CronWorkflow, is held and marked as a copy,
    so that nobody deletes, archives or counts it: argo-retention undo show UID --copy | kubectl create -f -
    """
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with open_site(settings, name, run_id="", root_run="", by_whom="argo-retention undo") as site:
        kept = find_kept(site, uid)
    workflow = msgspec.json.decode(kept.row.workflow)
    if as_copy:
        workflow = copy_to_look_at(workflow, because=f"a copy of {uid}, to be looked at")
    if as_json:
        print_json({**_document(kept), "workflow": workflow})
    else:
        click.echo(yaml.safe_dump(workflow, sort_keys=False, allow_unicode=False), nl=False)
    return 0


@command.command("restore")
@click.argument("uid")
@cluster_option
@config_option
@json_option
def restore(uid: str, cluster: str | None, config: Path, as_json: bool) -> int:
    """Put the row of a kept workflow back into Argo's archive, and its logs if they were kept.

    Nothing is overwritten.
    """
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with working_on(settings, name, "undo") as (site, grant):
        kept = find_kept(site, uid)
        logs = restore_logs(site, kept)
        restore_row(site, grant, kept)
    if as_json:
        print_json({**_document(kept), "logs": logs})
        return 0
    console().print(
        paragraph(
            f"{name}: {kept.row.namespace}/{kept.row.name} ({uid}) is in the archive again.\n"
            f"Log objects: {logs.back} put back, {logs.there} there already, {logs.not_kept} not kept.\n"
            "It expires as any other row, by the end of its workflow: "
            f"argo-retention explain {uid} says when."
        )
    )
    return 0


def _document(kept: Kept) -> dict[str, object]:
    """As it is kept, without the workflow itself."""
    return {name: value for name, value in to_record(kept).items() if name != "workflow"}
