"""Schedules: retention and expiry for each cluster, stopped until somebody starts them."""

import dagster as dg

from argo_retention.core.settings import Settings
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.defs.keys import CLUSTER_TAG, in_python_name

NOT_YET_BEGUN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Two for each cluster, named after it."""
    schedules = []
    for cluster, own in settings.clusters.items():
        for word, job, cron in (
            ("retention", RETENTION_JOB, own.schedules.retention),
            ("expiry", EXPIRY_JOB, own.schedules.expiry),
        ):
            schedules.append(_schedule(cluster, word, job, cron))
    return schedules


def _schedule(cluster: str, word: str, job_name: str, cron: str) -> dg.ScheduleDefinition:
    @dg.schedule(
        name=f"argo_{word}_schedule_{in_python_name(cluster)}",
        job_name=job_name,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=f"Runs {job_name} on cluster {cluster}.",
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        waiting = context.instance.get_runs(
            filters=dg.RunsFilter(
                job_name=job_name, tags={CLUSTER_TAG: cluster}, statuses=NOT_YET_BEGUN
            ),
            limit=1,
        )
        if waiting:
            # It will do all that another one would; without this they would pile up behind a long run.
            return dg.SkipReason(f"Run {waiting[0].run_id} of {job_name} still waits to begin.")
        return dg.RunRequest(
            run_key=context.scheduled_execution_time.isoformat(),
            partition_key=cluster,
            tags={CLUSTER_TAG: cluster},
        )

    return schedule
