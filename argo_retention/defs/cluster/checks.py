"""Checks of the cluster itself."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from argo_retention.adapters.retries import Patience
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    LIVE_WORKFLOWS,
    LOG_OBJECTS,
    WORKFLOW_SNAPSHOT,
    in_python_name,
)
from argo_retention.defs.resources import ArgoSites
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.checking import look_at
from argo_retention.sites import open_cluster

#: Property → the asset that it is shown on, and whether nothing downstream is done where it does not hold.
HEALTH = {
    "cluster_database_and_bucket_belong_together": (WORKFLOW_SNAPSHOT, True),
    "clocks_agree": (WORKFLOW_SNAPSHOT, True),
    "argos_tables_are_known_and_writable": (ARCHIVED_WORKFLOWS, True),
    "the_bucket_takes_and_gives_objects": (LOG_OBJECTS, False),
}
_DESCRIPTIONS = {
    "cluster_database_and_bucket_belong_together": "Nobody put another cluster, database or bucket there.",
    "clocks_agree": "API server, database and this host are less than five minutes apart.",
    "argos_tables_are_known_and_writable": "Argo's tables are of a known version and writable.",
    "the_bucket_takes_and_gives_objects": "An object can be written, read and deleted there.",
}

ANSWER_SECONDS = 3.0


def api_answers_name(cluster: str) -> str:
    """The check of one cluster.

    Each cluster has checks of its own where the sensor reports, too: of a check with partitions Dagster
    stores one evaluation outside of runs, and fails at the second.
    """
    return f"the_api_server_answers_{in_python_name(cluster)}"


def archived_lately_name(cluster: str) -> str:
    """The same, of the age of the archive."""
    return f"the_last_archive_is_recent_{in_python_name(cluster)}"


def watching_checks(
    settings: Settings, *, clock: Callable[[], datetime]
) -> list[dg.AssetChecksDefinition]:
    """Two for each cluster, which no job has: the sensor reports them, and a person may run them."""
    return [
        check
        for cluster, own in settings.clusters.items()
        for check in (_api_answers(cluster, own), _archived_lately(cluster, own, clock))
    ]


def _api_answers(cluster: str, settings: ClusterSettings) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=LIVE_WORKFLOWS,
        name=api_answers_name(cluster),
        description=f"The Kubernetes API of {cluster} answers with our credentials.",
    )
    def the_api_server_answers() -> dg.AssetCheckResult:
        try:
            api = open_cluster(
                settings, cluster, patience=Patience(attempts=2), read_seconds=ANSWER_SECONDS
            )
            found = f"{api.server_time():%Y-%m-%d %H:%M:%S} UTC by the server's clock."
            api.close()
        except ArgoRetentionError as error:
            return dg.AssetCheckResult(passed=False, metadata={"found": str(error)})
        return dg.AssetCheckResult(passed=True, metadata={"found": found})

    return the_api_server_answers


def _archived_lately(
    cluster: str, settings: ClusterSettings, clock: Callable[[], datetime]
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=LIVE_WORKFLOWS,
        name=archived_lately_name(cluster),
        description=f"The last archive run of {cluster} is younger than archive.late_after.",
    )
    def the_last_archive_is_recent(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        within = settings.archive.late_after
        passed, found = is_archived_lately(context.instance, cluster, within=within, now=clock())
        return dg.AssetCheckResult(
            passed=passed or not within,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"found": found},
        )

    return the_last_archive_is_recent


def is_archived_lately(
    instance: dg.DagsterInstance, cluster: str, *, within: timedelta, now: datetime
) -> tuple[bool, str]:
    """Whether the newest materialization of the cluster's archive is young enough, and what was found."""
    found = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=ARCHIVED_WORKFLOWS, asset_partitions=[cluster]), limit=1
    ).records
    if not found:
        return False, "No run has archived anything of this cluster yet."
    at = datetime.fromtimestamp(found[0].timestamp, tz=UTC)
    return (
        now - at < within,
        f"The last run that archived ended its step at {at:%Y-%m-%d %H:%M:%S} UTC.",
    )


def health(clusters: dg.PartitionsDefinition[str]) -> dg.AssetChecksDefinition:
    """Build the checks of an installation: one step, which looks at each property by itself."""

    @dg.multi_asset_check(
        name="argo_health",
        specs=[
            dg.AssetCheckSpec(
                name,
                asset=asset,
                blocking=is_blocking,
                partitions_def=clusters,
                description=_DESCRIPTIONS[name],
            )
            for name, (asset, is_blocking) in HEALTH.items()
        ],
        can_subset=True,
    )
    def argo_health(
        context: dg.AssetCheckExecutionContext, argo: dg.ResourceParam[ArgoSites]
    ) -> Iterator[dg.AssetCheckResult]:
        site, _ = argo.open(context.partition_key, context.log)
        for key in sorted(context.selected_asset_check_keys, key=str):
            seen = look_at(site, key.name)
            yield dg.AssetCheckResult(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=seen.passed,
                # A server that did not answer is no reason to stop what may find it well again.
                severity=dg.AssetCheckSeverity.ERROR if seen.asked else dg.AssetCheckSeverity.WARN,
                metadata={"found": seen.found},
            )

    return argo_health
