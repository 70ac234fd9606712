"""Earlier figures of an asset, and runs that an instance may forget."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from argo_retention.defs.history import drop_old_runs, earlier_figures
from argo_retention.defs.jobs import ARCHIVE_JOB
from argo_retention.defs.keys import ARCHIVED_WORKFLOWS, WORKFLOW_SNAPSHOT

CLUSTERS = dg.StaticPartitionsDefinition(["eu", "us"])
LATER = datetime.now(tz=UTC) + timedelta(hours=1)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def ran(
    instance: dg.DagsterInstance,
    cluster: str,
    found: int,
    *,
    job: str = ARCHIVE_JOB,
    fails: bool = False,
) -> str:
    """One run that materializes both assets, or fails; its id."""

    @dg.multi_asset(
        name="step",
        specs=[
            dg.AssetSpec(key, partitions_def=CLUSTERS)
            for key in (WORKFLOW_SNAPSHOT, ARCHIVED_WORKFLOWS)
        ],
    )
    def step() -> Iterator[dg.MaterializeResult]:
        if fails:
            raise RuntimeError("as it happens")
        yield dg.MaterializeResult(
            asset_key=WORKFLOW_SNAPSHOT, metadata={"found": found, "word": "x"}
        )
        yield dg.MaterializeResult(asset_key=ARCHIVED_WORKFLOWS)

    definitions = dg.Definitions(assets=[step], jobs=[dg.define_asset_job(job, selection=[step])])
    ended = definitions.resolve_job_def(job).execute_in_process(
        instance=instance, partition_key=cluster, raise_on_error=False
    )
    return ended.run_id


def test_figures_are_those_of_the_cluster_oldest_first(instance: dg.DagsterInstance) -> None:
    for found in (5, 7, 6):
        ran(instance, "eu", found)
    ran(instance, "us", 99)

    points = earlier_figures(instance, WORKFLOW_SNAPSHOT, "eu", ["found"])

    assert [values for _, values in points] == [(5,), (7,), (6,)]
    assert points[0][0] <= points[-1][0]
    assert earlier_figures(instance, WORKFLOW_SNAPSHOT, "eu", ["found", "word"]) == []


def test_old_runs_of_our_jobs_go_but_never_the_newest_success(
    instance: dg.DagsterInstance,
) -> None:
    first, newest = ran(instance, "eu", 1), ran(instance, "eu", 2)
    failed = ran(instance, "eu", 3, fails=True)
    theirs = ran(instance, "eu", 4, job="plan")
    newest_of_ours = {newest, theirs}  # theirs made our assets last
    other = ran(instance, "us", 5)
    last = ran(instance, "eu", 6)

    assert drop_old_runs(instance, "eu", before=LATER - timedelta(days=2)) == 0
    assert drop_old_runs(instance, "eu", before=LATER) == 3

    left = {run.run_id for run in instance.get_runs()}
    assert left == {theirs, other, last}
    assert not {first, failed} & left
    assert newest_of_ours - left == {newest}
    assert instance.get_latest_materialization_event(WORKFLOW_SNAPSHOT) is not None
