"""`argo-retention run`: one job for one cluster, in this process or where Dagster's services run."""

import getpass
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console

from argo_retention.cli.clusters import chosen_cluster
from argo_retention.cli.executing import (
    LOCATION,
    RunOutcome,
    dagster_instance,
    outcome_of,
    run_job,
)
from argo_retention.cli.options import cluster_option, config_option, json_option
from argo_retention.cli.outcomes import print_outcome
from argo_retention.cli.rendering import print_json
from argo_retention.cli.terminal import StageProgress, own_console
from argo_retention.core.settings import Settings
from argo_retention.defs.jobs import APPLY_PLAN_JOB, ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention.defs.keys import CLUSTER_TAG
from argo_retention.errors import ConfigurationError
from argo_retention.sites import load_settings

JOBS = {"archive": ARCHIVE_JOB, "retention": RETENTION_JOB, "expiry": EXPIRY_JOB}
POLL_SECONDS = 1.0


@click.command("run")
@click.argument("what", type=click.Choice(list(JOBS)))
@cluster_option
@config_option
@click.option("--plan-id", help="Carry out this retention plan, and nothing else (run retention).")
@click.option("--submit", is_flag=True, help="Queue it where Dagster's services run, and wait.")
@click.option(
    "--webserver",
    envvar="DAGSTER_WEBSERVER_URL",
    default="http://127.0.0.1:3000",
    show_default=True,
    help="Dagster's webserver, for --submit (or DAGSTER_WEBSERVER_URL).",
)
@json_option
def command(
    what: str,
    cluster: str | None,
    config: Path,
    plan_id: str | None,
    submit: bool,
    webserver: str,
    as_json: bool,
) -> int:
    """Run a job: archive, retention or expiry.

    Whether anything is deleted says retention.mode in the settings: observe (the default) or apply.
    """
    settings = load_settings(config)
    name = chosen_cluster(settings, cluster)
    if plan_id and what != "retention":
        raise click.UsageError("--plan-id goes with `run retention` only.")
    console = own_console()
    job = APPLY_PLAN_JOB if plan_id else JOBS[what]
    run_config: Mapping[str, object] = (
        {"ops": {"argo__retention_outcome": {"config": {"plan_id": plan_id}}}} if plan_id else {}
    )
    if submit:
        outcome = _submit(job, name, run_config, webserver)
    else:
        outcome = _here(settings, job, name, run_config, console, quiet=as_json)
    if as_json:
        print_json(
            {
                "run_id": outcome.run_id,
                "job": outcome.job,
                "cluster": outcome.cluster,
                "success": outcome.success,
                "assets": outcome.assets,
                "failed_checks": list(outcome.failed_checks),
                "failure": outcome.failure,
            }
        )
    else:
        print_outcome(console, outcome)
    return outcome.exit_code


def _here(
    settings: Settings,
    job: str,
    cluster: str,
    run_config: Mapping[str, object],
    console: Console,
    *,
    quiet: bool,
) -> RunOutcome:
    shown = StageProgress(own_console(stderr=True) if quiet else console, cluster)
    with dagster_instance() as instance, shown.shown() as progress:
        return run_job(
            settings,
            job=job,
            cluster=cluster,
            instance=instance,
            progress=progress,
            run_config=run_config,
            by_whom=f"{getpass.getuser()} (argo-retention run)",
        )


def _submit(job: str, cluster: str, run_config: Mapping[str, object], webserver: str) -> RunOutcome:
    """Queue the run by Dagster's webserver, so that its own launcher and limits hold, and wait."""
    from dagster import DagsterRunStatus
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

    parts = urlsplit(webserver)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigurationError(
            f"--webserver: expected http://host:port of Dagster's webserver, found {webserver!r}."
        )
    try:
        client = DagsterGraphQLClient(
            parts.hostname, port_number=parts.port, use_https=parts.scheme == "https"
        )
        run_id = client.submit_job_execution(
            job,
            repository_location_name=LOCATION,
            repository_name="__repository__",
            run_config=dict(run_config),
            tags={CLUSTER_TAG: cluster, "dagster/partition": cluster},
        )
    except DagsterGraphQLClientError as error:
        first = str(error).strip().splitlines()[0]
        raise ConfigurationError(
            f"Dagster's webserver at {webserver} did not take the run: {first}.\n"
            "Start `dagster-webserver` and `dagster-daemon`, or leave out --submit."
        ) from error
    ended = {DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED}
    while client.get_run_status(run_id) not in ended:
        time.sleep(POLL_SECONDS)
    with dagster_instance() as instance:
        return outcome_of(instance, run_id, job=job, cluster=cluster)
