"""`argo-retention demo`: the whole job on real parts that are started for it and stopped after it."""

import click

from argo_retention.cli.options import json_option


@click.command("demo")
@click.option(
    "--hello-worlds",
    type=click.IntRange(0, 10_000),
    default=10,
    show_default=True,
    help="Finished hello-world workflows in the cluster seed.",
)
@click.option(
    "--keep-count",
    type=click.IntRange(0, 10_000),
    default=3,
    show_default=True,
    help="retentionPolicy.completed of the cluster seed.",
)
@click.option(
    "--break",
    "broken",
    type=click.Choice(["s3", "db", "api"]),
    help="Let this part answer 503 from the snapshot on; nothing may be deleted then.",
)
@click.option("--keep", is_flag=True, help="Keep everything running until Ctrl-C.")
@click.option("--ui", is_flag=True, help="As --keep, with Dagster's webserver and daemon.")
@json_option
def command(
    hello_worlds: int,
    keep_count: int,
    broken: str | None,
    keep: bool,
    ui: bool,
    as_json: bool,
) -> int:
    """Show the whole job on a real PostgreSQL, a real S3 and an emulated Kubernetes API.

    Two clusters: `seed` (an Argo installation out of the box with hello-world workflows) and `fleet`
    (several teams, and every trap we know). Needs the extra argo-retention[demo].
    """
    from argo_retention.cli.demonstration import Demonstration

    return Demonstration(
        hello_worlds=hello_worlds,
        keep_count=keep_count,
        broken=broken,
        keep=keep or ui,
        ui=ui,
        as_json=as_json,
    ).run()
