"""`argo-retention adopt`: how to take retentionPolicy and archiveTTL over from Argo's ConfigMap."""

from pathlib import Path

import click

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.rendering import print_json
from argo_retention.operations.adopting import Adoption, adopt
from argo_retention.operations.discovering import discover
from argo_retention.sites import load_settings, open_cluster


@click.command("adopt")
@cluster_option
@config_option
@json_option
def command(cluster: str | None, config: Path, as_json: bool) -> int:
    """Print how retentionPolicy and archiveTTL move from Argo's ConfigMap to retention.yaml; change nothing.

    While they stand in the ConfigMap, Argo's controller deletes by itself, before logs are saved.
    """
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    own = settings.clusters[name]
    api = open_cluster(own, name)
    adoption = adopt(api, discover(api, own, partition=name))
    if as_json:
        print_json(adoption)
    else:
        # To be copied into files and shells, so it is neither wrapped nor coloured.
        click.echo(_text(adoption, config))
    return 0


def _text(adoption: Adoption, config: Path) -> str:
    if adoption.patch is None:
        return (
            f"# ConfigMap {adoption.configmap} has neither retentionPolicy nor archiveTTL:"
            " there is nothing to take over."
        )
    patch, *restarts = adoption.commands
    parts = [
        f"# 1. Merge this into {config}; from then on it wins over the ConfigMap.",
        adoption.settings,
        f"\n# 2. Take the keys out of ConfigMap {adoption.configmap}, or Argo's controller goes on deleting.",
        patch,
        "\n# 3. Restart the controller.",
        *restarts,
        "",
        *(f"# {note}" for note in adoption.notes),
    ]
    return "\n".join(parts)
