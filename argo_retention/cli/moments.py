"""Moments that a person gives on the command line, UTC."""

from datetime import UTC, datetime

import click

from argo_retention.cli.rendering import show_moment

MOMENT = click.DateTime(formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%SZ"])


def in_the_future(until: datetime | None) -> datetime | None:
    """The end of a hold or a pause, in UTC. Raises BadParameter where it is over already."""
    end = None if until is None else until.replace(tzinfo=UTC)
    if end is not None and end <= datetime.now(tz=UTC):
        raise click.BadParameter(f"{show_moment(end)} is over", param_hint="--until")
    return end
