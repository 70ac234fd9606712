"""The sensor of finished workflows, one for each cluster: requests an archive run when something finished."""

import dagster as dg

from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.retries import Patience
from argo_retention.core.settings import Settings
from argo_retention.defs.jobs import ARCHIVE_JOB
from argo_retention.defs.keys import CLUSTER_TAG, in_python_name
from argo_retention.operations.discovering import discover
from argo_retention.operations.watching import Seen, look_for_finished

INTERVAL_SECONDS = 60
#: Dagster kills a tick after a minute, and until then no other sensor has its turn.
TICK_SECONDS = 30.0
#: The next tick comes by itself, so a busy server is asked only once more.
TICK_PATIENCE = Patience(attempts=2, longest_pause=2.0)
UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """One for each cluster, named after it."""
    return [_sensor(settings, cluster) for cluster in settings.clusters]


def _sensor(settings: Settings, cluster: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"finished_workflows_sensor_{in_python_name(cluster)}",
        job_name=ARCHIVE_JOB,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description=f"Archives finished workflows of cluster {cluster} soon after they finish.",
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        at_work = context.instance.get_runs(
            filters=dg.RunsFilter(tags={CLUSTER_TAG: cluster}, statuses=UNFINISHED), limit=1
        )
        if at_work:
            # The cursor stays, so what finishes meanwhile is seen at a later tick.
            return dg.SkipReason(f"Run {at_work[0].run_id} is at work on cluster {cluster}.")
        own = settings.clusters[cluster]
        api = connect(
            kubeconfig=own.kubeconfig,
            context=own.context,
            name=cluster,
            patience=TICK_PATIENCE,
            limit_seconds=TICK_SECONDS,
        )
        seen = look_for_finished(api, discover(api, own, partition=cluster), context.cursor or "")
        if not seen.finished:
            return dg.SensorResult(skip_reason=_skip_reason(seen), cursor=seen.cursor)
        request = dg.RunRequest(partition_key=cluster, tags={CLUSTER_TAG: cluster})
        return dg.SensorResult(run_requests=[request], cursor=seen.cursor)

    return sensor


def _skip_reason(seen: Seen) -> str:
    if seen.listed:
        return f"None of {seen.looked_at} workflows has finished and waits to be archived."
    return f"{seen.looked_at} changes since the last look, none of them a workflow that finished."
