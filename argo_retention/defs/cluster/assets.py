"""Live workflows and pod logs (external), and the snapshot."""

import dagster as dg

from argo_retention.defs import columns
from argo_retention.defs.history import drawn_over_time
from argo_retention.defs.keys import GROUP, LIVE_WORKFLOWS, POD_LOGS, WORKFLOW_SNAPSHOT
from argo_retention.defs.metadata import exceptions_table
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retrying import tried_again
from argo_retention.defs.story import counted, name_exceptions
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention.operations.vanishing import not_archived

NONE_LOST = "nothing_left_the_cluster_before_it_was_archived"


def external_assets(clusters: dg.PartitionsDefinition[str]) -> list[dg.AssetSpec]:
    """What the cluster holds; Argo's controller and the kubelets write it, not we."""
    return [
        dg.AssetSpec(
            LIVE_WORKFLOWS,
            description="Workflow objects in the cluster, as Argo's controller leaves them.",
            group_name=GROUP,
            kinds={"kubernetes"},
            metadata=columns.LIVE,
            partitions_def=clusters,
        ),
        dg.AssetSpec(
            POD_LOGS,
            description="Logs of the workflows' pods, as long as the pods are there.",
            group_name=GROUP,
            kinds={"kubernetes"},
            metadata=columns.LOGS_OF_PODS,
            partitions_def=clusters,
        ),
    ]


def workflow_snapshot(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/workflow_snapshot`."""

    @dg.asset(
        key=WORKFLOW_SNAPSHOT,
        deps=[LIVE_WORKFLOWS],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"kubernetes", "parquet"},
        description="A complete, consistent list of the installation's workflows: one Parquet file.",
        metadata=columns.SNAPSHOT,
        check_specs=[
            dg.AssetCheckSpec(
                NONE_LOST,
                asset=WORKFLOW_SNAPSHOT,
                partitions_def=clusters,
                description="Nothing left the cluster, by Argo or a person, before it was archived.",
            )
        ],
    )
    def workflow_snapshot(
        context: dg.AssetExecutionContext, argo: dg.ResourceParam[ArgoSites]
    ) -> dg.MaterializeResult:
        with tried_again():
            site, grant = argo.open(context.partition_key, context.log)
            snapshot = take_snapshot(site, grant)
            lost = not_archived(site, snapshot.vanished)
        vanished = [(f"{d.namespace}/{d.name}", d.outcome, d.reason) for d in snapshot.vanished]
        context.log.info(
            "Listed %s workflows at resourceVersion %s, %s of them finished (%s). Since the last list "
            "%s vanished that we did not delete.",
            f"{snapshot.record.live:,}",
            snapshot.record.resource_version,
            f"{snapshot.record.finished:,}",
            counted(snapshot.by_phase),
            f"{len(vanished):,}",
        )
        name_exceptions(context.log, vanished)
        if snapshot.refusal:
            context.log.warning(snapshot.refusal)
        drawn = drawn_over_time(
            context,
            WORKFLOW_SNAPSHOT,
            "Workflows in the cluster",
            names={"found": snapshot.record.live, "finished": snapshot.record.finished},
            now=site.clock(),
        )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": snapshot.record.live,
                "dagster/uri": snapshot.uri,
                "found": snapshot.record.live,
                "finished": snapshot.record.finished,
                **drawn,
                "by_phase": dict(snapshot.by_phase),
                "resource_version": snapshot.record.resource_version,
                "refused": snapshot.refusal or "no",
                "vanished": len(snapshot.vanished),
                "exceptions": exceptions_table(vanished),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=NONE_LOST,
                    passed=not lost,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={
                        "vanished": len(snapshot.vanished),
                        "not_archived": len(lost),
                        "exceptions": exceptions_table(
                            [(f"{d.namespace}/{d.name}", d.outcome, d.reason) for d in lost]
                        ),
                    },
                )
            ],
        )

    return workflow_snapshot
