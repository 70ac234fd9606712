"""Schedules: retention and expiry for each cluster, stopped until somebody starts them."""

from collections.abc import Sequence

import dagster as dg

from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB, up_to_the_plan
from argo_retention.defs.keys import CLUSTER_TAG, TRIGGER_TAG, in_python_name
from argo_retention.defs.runs import NOT_YET_BEGUN, run_at_work
from argo_retention.errors import ConfigurationError


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Two for each cluster, named after it. Raises ConfigurationError for a cron that is none."""
    return [
        _checked(cluster, own, word)
        for cluster, own in settings.clusters.items()
        for word in ("retention", "expiry")
    ]


def _checked(cluster: str, settings: ClusterSettings, word: str) -> dg.ScheduleDefinition:
    crons = settings.schedules
    cron = crons.retention if word == "retention" else crons.expiry
    try:
        return _schedule(
            cluster,
            word,
            job=RETENTION_JOB if word == "retention" else EXPIRY_JOB,
            cron=cron,
            time_zone=crons.time_zone,
            observes=settings.retention.mode == "observe",
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise ConfigurationError(
            f"Cluster {cluster}: schedules.{word} {cron!r} in time zone {crons.time_zone!r} is no schedule.\n"
            "Write a cron of five fields such as */15 * * * *, and a time zone such as UTC or Europe/Berlin."
        ) from error


def _schedule(
    cluster: str, word: str, *, job: str, cron: str, time_zone: str, observes: bool
) -> dg.ScheduleDefinition:
    selection: Sequence[dg.AssetKey] | None = up_to_the_plan(job) if observes else None
    how_far = " up to the plan (retention.mode is observe)" if observes else ""

    @dg.schedule(
        name=f"argo_{word}_schedule_{in_python_name(cluster)}",
        job_name=job,
        cron_schedule=cron,
        execution_timezone=time_zone,
        description=f"Runs {job} on cluster {cluster}{how_far}.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        waiting = run_at_work(context.instance, cluster, job=job, statuses=NOT_YET_BEGUN)
        if waiting is not None:
            # It will do all that another one would; without this they would pile up behind a long run.
            return dg.SkipReason(f"Run {waiting.dagster_run.run_id} of {job} still waits to begin.")
        return dg.RunRequest(
            run_key=context.scheduled_execution_time.isoformat(),
            partition_key=cluster,
            asset_selection=selection,
            tags={CLUSTER_TAG: cluster, TRIGGER_TAG: "schedule"},
        )

    return schedule
