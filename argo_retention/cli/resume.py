"""`argo-retention resume`: ends a pause."""

import getpass
from pathlib import Path

import click

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json
from argo_retention.operations.pausing import pause_now
from argo_retention.sites import load_settings, open_site


@click.command("resume")
@click.argument("cluster")
@config_option
@json_option
def command(cluster: str, config: Path, as_json: bool) -> int:
    """End a pause of deletions. One by annotation on Argo's ConfigMap stays, and is named."""
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with open_site(settings, name, run_id="", root_run="", by_whom=getpass.getuser()) as site:
        site.archive.migrate()
        ended = site.archive.resume(
            clustername=site.installation.clustername, instanceid=site.installation.instanceid
        )
        left = pause_now(site)
    if as_json:
        print_json({"ended": ended, "still_paused": left})
        return 1 if left else 0
    said = f"its pause has ended ({ended.because})" if ended else "there was no pause to end"
    console().print(paragraph(f"{name}: {said}"))
    if left:
        console().print(paragraph(f"{name}: still {left}"), style="yellow")
    return 1 if left else 0
