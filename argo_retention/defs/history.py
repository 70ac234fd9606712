"""What an instance remembers of our runs: figures of earlier materializations, and runs that nobody needs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from argo_retention.defs import keys
from argo_retention.defs.jobs import JOBS
from argo_retention.defs.plots import over_time
from argo_retention.defs.runs import PARTITION_TAG

MATERIALIZED = (
    *(keys.WORKFLOW_SNAPSHOT, keys.LOG_OBJECTS, keys.ARCHIVED_WORKFLOWS, keys.RETENTION_PLAN),
    *(keys.RETENTION_OUTCOME, keys.EXPIRY_PLAN, keys.EXPIRY_OUTCOME, keys.LIVE_WORKFLOWS),
)
FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
POINTS = 100
AT_ONCE = 200  # a run's events go with it; the rest goes with the next plan

Point = tuple[datetime, tuple[int, ...]]


def earlier_figures(
    instance: dg.DagsterInstance, key: dg.AssetKey, cluster: str, names: Sequence[str]
) -> list[Point]:
    """Numbers from the metadata of the last materializations of a cluster, oldest first."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=key, asset_partitions=[cluster]), limit=POINTS
    ).records
    points = []
    for record in reversed(found):
        metadata = record.asset_materialization.metadata if record.asset_materialization else {}
        given = [getattr(metadata.get(name), "value", None) for name in names]
        values = tuple(value for value in given if isinstance(value, int))
        if len(values) == len(names):
            points.append((datetime.fromtimestamp(record.timestamp, tz=UTC), values))
    return points


def drawn_over_time(
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    title: str,
    *,
    names: Mapping[str, int],
    now: datetime,
) -> dict[str, dg.MarkdownMetadataValue]:
    """The entry `over_time`: earlier figures of the cluster and these (name in the metadata → value now).

    Nothing in runs that the sensor asked for: they come every few minutes, and an event log keeps pictures.
    """
    if context.run.tags.get(keys.TRIGGER_TAG) == keys.BY_SENSOR:
        return {}
    points = earlier_figures(context.instance, key, context.partition_key, list(names))
    points.append((now, tuple(names.values())))
    shown = [name.rpartition("/")[2] for name in names]
    return {"over_time": over_time(title, points, shown)}


def drop_old_runs(instance: dg.DagsterInstance, cluster: str, *, before: datetime) -> int:
    """Delete runs of our jobs on this cluster that ended before then; how many.

    The run of the newest materialization of each asset stays, so that no asset looks as if it had never been
    made; so does what is not one of our jobs.
    """
    newest = {
        record.run_id
        for key in MATERIALIZED
        for record in instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=key, asset_partitions=[cluster]), limit=1
        ).records
    }
    records = instance.get_run_records(
        filters=dg.RunsFilter(
            statuses=list(FINISHED), tags={PARTITION_TAG: cluster}, created_before=before
        ),
        limit=AT_ONCE,
        ascending=True,
    )
    old = [
        record.dagster_run.run_id
        for record in records
        if record.dagster_run.job_name in JOBS and record.dagster_run.run_id not in newest
    ]
    for run_id in old:
        instance.delete_run(run_id)
    return len(old)
