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
    REPOSITORY,
    RunOutcome,
    dagster_instance,
    is_ended,
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
@click.option(
    "--allow-deletions",
    type=click.IntRange(min=0),
    metavar="N",
    help="Let the plan of --plan-id pass although brakes.max_share refuses it, if it deletes no more.",
)
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
    allow_deletions: int | None,
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
    if allow_deletions is not None and not plan_id:
        raise click.UsageError("--allow-deletions goes with --plan-id: it is said of one plan.")
    console = own_console()
    job = APPLY_PLAN_JOB if plan_id else JOBS[what]
    wanted = {"plan_id": plan_id, "allow_deletions": allow_deletions}
    given = {key: value for key, value in wanted.items() if value is not None}
    run_config: Mapping[str, object] = (
        {"ops": {"argo__retention_outcome": {"config": given}}} if plan_id else {}
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
            by_whom=_by_whom(),
        )


def _submit(job: str, cluster: str, run_config: Mapping[str, object], webserver: str) -> RunOutcome:
    """Queue the run by Dagster's webserver, so that its own launcher and limits hold, and wait."""
    from dagster_graphql import DagsterGraphQLClient, DagsterGraphQLClientError

    try:
        parts = urlsplit(webserver)
        host, port, is_https = parts.hostname, parts.port, parts.scheme == "https"
    except ValueError:  # the port is no number
        host, port, is_https = None, None, False
    if not host or not webserver.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"--webserver: expected http://host:port of Dagster's webserver, found {webserver!r}."
        )
    with dagster_instance() as instance:
        try:
            client = DagsterGraphQLClient(host, port_number=port, use_https=is_https)
            run_id = client.submit_job_execution(
                job,
                repository_location_name=LOCATION,
                repository_name=REPOSITORY,
                run_config=dict(run_config),
                tags={CLUSTER_TAG: cluster, "dagster/partition": cluster, "user": _by_whom()},
            )
        except DagsterGraphQLClientError as error:
            raise ConfigurationError(
                f"Dagster's webserver at {webserver} did not take the run: {_innermost(error)}.\n"
                "Start `dagster-webserver` and `dagster-daemon`, or leave out --submit."
            ) from error
        while not is_ended(instance, run_id):
            time.sleep(POLL_SECONDS)
        return outcome_of(instance, run_id, job=job, cluster=cluster)


def _by_whom() -> str:
    return f"{getpass.getuser()} (argo-retention run)"


def _innermost(error: BaseException) -> str:
    """What went wrong at the bottom: the client's own message is the whole GraphQL query."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error.args[-1] if error.args else error).strip().rstrip(".").partition("\n")[0]
