"""`argo-retention pause`: nothing is deleted until somebody resumes, or until a time."""

import getpass
from datetime import datetime
from pathlib import Path

import click

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.moments import MOMENT, in_the_future
from argo_retention.cli.options import because_option, config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json, show_moment
from argo_retention.core.ledger import Pause
from argo_retention.sites import load_settings, open_site


@click.command("pause")
@click.argument("cluster")
@because_option
@click.option(
    "--until",
    type=MOMENT,
    metavar="UTC",
    help="2026-12-24 or 2026-12-24T18:00; else until resumed.",
)
@config_option
@json_option
def command(cluster: str, because: str, until: datetime | None, config: Path, as_json: bool) -> int:
    """Stop deletions of a cluster, also those of a run that is at work, from its next batch on.

    Archiving goes on. The same by kubectl: annotation argo-retention.io/pause on the controller's ConfigMap.
    """
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    end = in_the_future(until)
    with open_site(settings, name, run_id="", root_run="", by_whom=getpass.getuser()) as site:
        site.archive.migrate()
        pause = Pause(
            clustername=site.installation.clustername,
            instanceid=site.installation.instanceid,
            because=because,
            by_whom=site.by_whom,
            until=end,
        )
        site.archive.pause(pause)
    if as_json:
        print_json(pause)
    else:
        when = f"until {show_moment(end)}" if end else f"until: argo-retention resume {name}"
        console().print(paragraph(f"{name}: nothing is deleted {when}"))
    return 0
