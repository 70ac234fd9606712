"""Runs of ours on a Dagster instance that others may share."""

from collections.abc import Sequence

import dagster as dg

from argo_retention.defs.jobs import JOBS
from argo_retention.defs.keys import PREFIX

PARTITION_TAG = "dagster/partition"
RUN_KEY_TAG = "dagster/run_key"
NOT_YET_BEGUN = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]
UNFINISHED = [
    *NOT_YET_BEGUN,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
#: Another team may have a partition of the same name, with runs of its own.
LOOKED_AT = 50


def run_at_work(
    instance: dg.DagsterInstance,
    cluster: str,
    *,
    job: str | None = None,
    statuses: Sequence[dg.DagsterRunStatus] = UNFINISHED,
) -> dg.RunRecord | None:
    """A run of ours on this cluster that is queued or runs, however it was started."""
    records = instance.get_run_records(
        filters=dg.RunsFilter(job_name=job, tags={PARTITION_TAG: cluster}, statuses=list(statuses)),
        limit=LOOKED_AT,
    )
    return next((each for each in records if is_ours(each.dagster_run)), None)


def run_asked_for(instance: dg.DagsterInstance, run_key: str) -> dg.DagsterRun | None:
    """The run that was launched for a request with this key."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={RUN_KEY_TAG: run_key}), limit=1)
    return next(iter(runs), None)


def is_ours(run: dg.DagsterRun) -> bool:
    """One of our jobs, or assets of ours that were chosen in the UI."""
    chosen = run.asset_selection or frozenset()
    return run.job_name in JOBS or any(key.path[0] == PREFIX for key in chosen)
