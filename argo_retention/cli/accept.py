"""`argo-retention accept`: a person says that cluster, database and bucket are right as they are now."""

from pathlib import Path

import click

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import because_option, config_option, json_option
from argo_retention.cli.rendering import console, paragraph, print_json
from argo_retention.cli.working import working_on
from argo_retention.operations.identifying import Accepted, accept
from argo_retention.sites import load_settings


@click.command("accept")
@click.argument("cluster")
@because_option
@config_option
@json_option
def command(cluster: str, because: str, config: Path, as_json: bool) -> int:
    """Take cluster, database and bucket for right after one of them moved; deletes nothing.

    Runs refuse while the cluster was rebuilt or set back, the database restored or exchanged, or the bucket
    emptied or exchanged. Who accepted what, and why, is recorded.
    """
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with working_on(settings, name, "accept") as (site, grant):
        accepted = accept(site, grant, because=because)
    if as_json:
        print_json(accepted)
    else:
        console().print(paragraph(_text(name, accepted)))
    return 0


def _text(name: str, accepted: Accepted) -> str:
    if not accepted.moved:
        return f"{name}: nothing had moved; runs go on as before."
    lines = [f"{name}: accepted. {text[0].upper()}{text[1:]}." for text in accepted.moved]
    if accepted.proofs_voided:
        lines.append(
            "No version counts as proven any more: the next archive run compares each workflow with its row."
        )
    return "\n".join(lines)
