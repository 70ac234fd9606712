"""Options that several commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from argo_retention.sites import CONFIG_VARIABLE, DEFAULT_CONFIG

config_option: Callable[[Any], Any] = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path),
    envvar=CONFIG_VARIABLE,
    default=Path(DEFAULT_CONFIG),
    show_default=True,
    help=f"Settings file (or {CONFIG_VARIABLE}).",
)

cluster_option: Callable[[Any], Any] = click.option(
    "--cluster",
    "cluster",
    help="Name of the cluster in the settings; may be left out where there is one only.",
)

json_option: Callable[[Any], Any] = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of tables."
)

because_option: Callable[[Any], Any] = click.option(
    "--because", "because", required=True, metavar="TEXT", help="Why, for those who ask later."
)
