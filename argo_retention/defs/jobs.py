"""Jobs: selections of the asset graph, one partition (cluster) a run."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    CLUSTER_TAG,
    EXPIRY_OUTCOME,
    EXPIRY_PLAN,
    LOG_OBJECTS,
    RETENTION_OUTCOME,
    RETENTION_PLAN,
    WORKFLOW_SNAPSHOT,
)

ARCHIVE = [WORKFLOW_SNAPSHOT, LOG_OBJECTS, ARCHIVED_WORKFLOWS]

ARCHIVE_JOB = "argo_archive"
PLAN_JOB = "argo_plan"
RETENTION_JOB = "argo_retention"
APPLY_PLAN_JOB = "argo_apply_plan"
EXPIRY_JOB = "argo_expiry"
JOBS = (ARCHIVE_JOB, PLAN_JOB, RETENTION_JOB, APPLY_PLAN_JOB, EXPIRY_JOB)
#: Those that archive what is finished when they begin.
ARCHIVING_JOBS = (ARCHIVE_JOB, PLAN_JOB, RETENTION_JOB)


_SELECTIONS: Mapping[str, tuple[Sequence[dg.AssetKey], str]] = {
    ARCHIVE_JOB: (ARCHIVE, "Snapshot, logs and archive rows of finished workflows."),
    PLAN_JOB: (
        [*ARCHIVE, RETENTION_PLAN, EXPIRY_PLAN],
        "The same and both plans; deletes nothing.",
    ),
    RETENTION_JOB: (
        [*ARCHIVE, RETENTION_PLAN, RETENTION_OUTCOME],
        "Archive, plan, and delete surplus workflows from the cluster (mode apply).",
    ),
    APPLY_PLAN_JOB: (
        [RETENTION_OUTCOME],
        "Carry out one plan that a person has looked at; needs plan_id in the run's config.",
    ),
    EXPIRY_JOB: (
        [WORKFLOW_SNAPSHOT, EXPIRY_PLAN, EXPIRY_OUTCOME],
        "A fresh snapshot, then expire rows with their logs (mode apply).",
    ),
}


def build_jobs(clusters: dg.PartitionsDefinition[str]) -> list[Any]:
    """All jobs (Dagster does not export the type that `define_asset_job` returns).

    Each run has the tag of its cluster, however it was launched: the queue's limit counts by it.
    """
    tagged = dg.PartitionedConfig(
        partitions_def=clusters,
        run_config_for_partition_key_fn=lambda _: {},
        tags_for_partition_key_fn=lambda cluster: {CLUSTER_TAG: cluster},
    )
    return [
        dg.define_asset_job(
            name,
            selection=dg.AssetSelection.assets(*keys),
            description=description,
            config=tagged,
        )
        for name, (keys, description) in _SELECTIONS.items()
    ]


def up_to_the_plan(job: str) -> list[dg.AssetKey]:
    """What the job materializes without the outcome, through which things are deleted."""
    keys, _ = _SELECTIONS[job]
    return [key for key in keys if key not in (RETENTION_OUTCOME, EXPIRY_OUTCOME)]
