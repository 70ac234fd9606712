"""`argo-retention hold`: keeps a namespace or a workflow, in the cluster and in the archive."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.moments import MOMENT, in_the_future
from argo_retention.cli.options import (
    because_option,
    cluster_option,
    config_option,
    json_option,
)
from argo_retention.cli.rendering import console, paragraph, print_json, table
from argo_retention.core.holds import describe, place_of
from argo_retention.core.ledger import Hold
from argo_retention.operations.holding import holds_now
from argo_retention.operations.site import Site
from argo_retention.sites import load_settings, open_site


@click.group("hold")
def command() -> None:
    """Keep a namespace or a workflow whatever policy says: add, list, release."""


@command.command("add")
@click.argument("place", metavar="NAMESPACE[/WORKFLOW]")
@because_option
@click.option(
    "--until",
    type=MOMENT,
    metavar="UTC",
    help="2026-12-24 or 2026-12-24T18:00; else until released.",
)
@cluster_option
@config_option
@json_option
def add(
    place: str,
    because: str,
    until: datetime | None,
    cluster: str | None,
    config: Path,
    as_json: bool,
) -> int:
    """Neither delete nor expire what is at this place.

    The same by kubectl: annotation argo-retention.io/hold on the Workflow or its Namespace.
    """
    place, end = place_of(place), in_the_future(until)
    with _site(config, cluster) as site:
        hold = Hold(
            clustername=site.installation.clustername,
            instanceid=site.installation.instanceid,
            place=place,
            because=because,
            by_whom=site.by_whom,
            until=end,
        )
        site.archive.add_hold(hold)
        name = site.installation.partition
    if as_json:
        print_json(hold)
    else:
        release = f"argo-retention hold release {place} --cluster {name}"
        console().print(paragraph(f"{name}: held is {describe(hold)}. To end it: {release}"))
    return 0


@command.command("list")
@cluster_option
@config_option
@json_option
def show(cluster: str | None, config: Path, as_json: bool) -> int:
    """Show what is held, also by annotation of a namespace."""
    with _site(config, cluster) as site:
        holds = holds_now(site)
        name = site.installation.partition
    if as_json:
        print_json(holds)
    elif holds:
        console().print(table(f"{name}: held", ("place", "why"), sorted(holds.items())))
    else:
        console().print(paragraph(f"{name}: nothing is held"))
    return 0


@command.command("release")
@click.argument("place", metavar="NAMESPACE[/WORKFLOW]")
@cluster_option
@config_option
@json_option
def release(place: str, cluster: str | None, config: Path, as_json: bool) -> int:
    """End a hold; ends with 1 where there is none, or an annotation still holds the namespace."""
    place = place_of(place)
    with _site(config, cluster) as site:
        ended = site.archive.release_hold(
            clustername=site.installation.clustername,
            instanceid=site.installation.instanceid,
            place=place,
        )
        left = holds_now(site).get(place, "")
        name = site.installation.partition
    if as_json:
        print_json({"ended": ended, "still_held": left})
    else:
        said = f"no longer held is {describe(ended)}" if ended else f"{place} was not held by this"
        console().print(paragraph(f"{name}: {said}"))
        if left:
            console().print(paragraph(f"{name}: still held: {left}"), style="yellow")
    return 1 if left or ended is None else 0


@contextmanager
def _site(config: Path, cluster: str | None) -> Iterator[Site]:
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    with open_site(settings, name, run_id="", root_run="", by_whom=getpass.getuser()) as site:
        site.archive.migrate()
        yield site
