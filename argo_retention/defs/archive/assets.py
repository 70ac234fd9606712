"""Log objects and archived workflows: one streaming multi-asset, logs before the row that names them."""

from collections.abc import Sequence

import dagster as dg

from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    GROUP,
    LOG_OBJECTS,
    POD_LOGS,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.defs.metadata import column_lineage, exceptions_table
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retrying import tried_again
from argo_retention.operations.archiving import Archived, archive_finished
from argo_retention.operations.early_rules import early_rules
from argo_retention.operations.labelling import Labelled, label_archived
from argo_retention.operations.racing import AtRisk, at_risk

ALL_PROVEN = "every_finished_workflow_is_archived_and_proven"
LOGS_SETTLED = "no_row_is_without_its_logs_settled"
ARGO_DELETES = "argo_deletes_nothing_unproven"
LOGS_OUTLIVE = "no_lifecycle_rule_ends_logs_before_their_rows"

LINEAGE = {
    "uid": [(WORKFLOW_SNAPSHOT, "uid")],
    "name": [(WORKFLOW_SNAPSHOT, "name")],
    "namespace": [(WORKFLOW_SNAPSHOT, "namespace")],
    "phase": [(WORKFLOW_SNAPSHOT, "phase")],
    "creationtimestamp": [(WORKFLOW_SNAPSHOT, "created_at")],
    "workflow": [(WORKFLOW_SNAPSHOT, "uid"), (LOG_OBJECTS, "key")],
}

ARCHIVE_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("clustername", "varchar(64)", description="Argo's clusterName"),
        dg.TableColumn("instanceid", "varchar(64)", description="Argo's instanceID, or empty"),
        dg.TableColumn("uid", "varchar(128)", description="metadata.uid"),
        dg.TableColumn("name", "varchar(256)", description="metadata.name"),
        dg.TableColumn("namespace", "varchar(256)", description="metadata.namespace"),
        dg.TableColumn("phase", "varchar(25)", description="status.phase"),
        dg.TableColumn("startedat", "timestamp", description="UTC"),
        dg.TableColumn("finishedat", "timestamp", description="UTC"),
        dg.TableColumn("creationtimestamp", "timestamp", description="UTC"),
        dg.TableColumn("workflow", "jsonb", description="the whole object, with its log artifacts"),
    ]
)

LOG_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("clustername", "text", description="Argo's clusterName"),
        dg.TableColumn("uid", "text", description="uid of the workflow"),
        dg.TableColumn("node_id", "text", description="node of the workflow"),
        dg.TableColumn("container", "text", description="main container of the pod"),
        dg.TableColumn(
            "state", "text", description="stored, not_wanted, lost, unsettled, intended"
        ),
        dg.TableColumn("reason", "text", description="why it is not stored"),
        dg.TableColumn("bucket", "text", description="bucket of the object"),
        dg.TableColumn("key", "text", description="key of the object"),
        dg.TableColumn("size", "bigint", description="bytes"),
        dg.TableColumn("sha256", "text", description="of what we wrote"),
        dg.TableColumn("etag", "text", description="as S3 gave it; guards deletion"),
    ]
)


def archive_assets(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the multi-asset of `argo/log_objects` and `argo/archived_workflows`."""

    @dg.multi_asset(
        name="argo_archive_step",
        specs=[
            dg.AssetSpec(
                LOG_OBJECTS,
                deps=[WORKFLOW_SNAPSHOT, POD_LOGS],
                description="Logs of finished workflows in S3 under Argo's own keys.",
                group_name=GROUP,
                kinds={"s3"},
                metadata={"dagster/column_schema": LOG_COLUMNS},
                partitions_def=clusters,
            ),
            dg.AssetSpec(
                ARCHIVED_WORKFLOWS,
                deps=[WORKFLOW_SNAPSHOT, LOG_OBJECTS],
                description="Rows of argo_archived_workflows, each proven against its live object.",
                group_name=GROUP,
                kinds={"postgres"},
                metadata={
                    "dagster/column_schema": ARCHIVE_COLUMNS,
                    "dagster/column_lineage": column_lineage(LINEAGE),
                },
                partitions_def=clusters,
            ),
        ],
        check_specs=[
            dg.AssetCheckSpec(
                ALL_PROVEN,
                asset=ARCHIVED_WORKFLOWS,
                partitions_def=clusters,
                description="Every finished workflow past its grace has a row that was proven.",
            ),
            dg.AssetCheckSpec(
                LOGS_OUTLIVE,
                asset=LOG_OBJECTS,
                partitions_def=clusters,
                description="S3 itself deletes no log before its row expires.",
            ),
            dg.AssetCheckSpec(
                LOGS_SETTLED,
                asset=ARCHIVED_WORKFLOWS,
                partitions_def=clusters,
                description="Each log is stored, not wanted, or provably lost.",
            ),
            dg.AssetCheckSpec(
                ARGO_DELETES,
                asset=ARCHIVED_WORKFLOWS,
                partitions_def=clusters,
                description="No key of Argo's own deletes a finished workflow that is not proven.",
            ),
        ],
    )
    def argo_archive_step(
        context: dg.AssetExecutionContext, argo: dg.ResourceParam[ArgoSites]
    ) -> tuple[dg.MaterializeResult, dg.MaterializeResult]:
        with tried_again():
            site, grant = argo.open(context.partition_key)
            archived = archive_finished(site, grant)
            labelled = label_archived(site, grant)
            counts = site.archive.counts(
                clustername=site.installation.clustername, instanceid=site.installation.instanceid
            )
            risks = at_risk(site, [r.uid for r in archived.refusals if r.reason != "gone"])
            rows = _rows_result(archived, labelled=labelled, rows=counts["rows"], risks=risks)
            return _logs_result(archived, early=early_rules(site)), rows

    return argo_archive_step


def _logs_result(archived: Archived, *, early: Sequence[str]) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=LOG_OBJECTS,
        metadata={
            "dagster/row_count": sum(archived.logs.values()),
            "saved": archived.saved_logs,
            "saved_bytes": archived.saved_bytes,
            **{f"{state}": count for state, count in sorted(archived.logs.items())},
            "exceptions": exceptions_table(archived.log_exceptions),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=LOG_OBJECTS,
                check_name=LOGS_OUTLIVE,
                passed=not early,
                metadata={"rules": "; ".join(early)},
            )
        ],
    )


def _rows_result(
    archived: Archived, *, labelled: Labelled, rows: int, risks: Sequence[AtRisk]
) -> dg.MaterializeResult:
    late = [r for r in archived.refusals if r.reason not in {"pending", "running", "gone"}]
    exceptions = [(f"{r.namespace}/{r.name}", r.reason, r.sentence) for r in archived.refusals]
    unlabelled = [(f"{w.namespace}/{w.name}", "not labelled", why) for w, why in labelled.failed]
    unsettled = archived.log_exceptions
    return dg.MaterializeResult(
        asset_key=ARCHIVED_WORKFLOWS,
        metadata={
            "dagster/row_count": rows,
            "finished": archived.finished,
            "proven_before": archived.proven_before,
            "archived": archived.archived,
            "proven_without_writing": archived.proven_now,
            "labelled": labelled.count,
            "refused": len(late),
            "exceptions": exceptions_table([*exceptions, *unlabelled]),
        },
        check_results=[
            dg.AssetCheckResult(
                asset_key=ARCHIVED_WORKFLOWS,
                check_name=ALL_PROVEN,
                passed=not late,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"unproven": len(late), "exceptions": exceptions_table(exceptions)},
            ),
            dg.AssetCheckResult(
                asset_key=ARCHIVED_WORKFLOWS,
                check_name=LOGS_SETTLED,
                passed=not unsettled,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"unsettled": len(unsettled), "exceptions": exceptions_table(unsettled)},
            ),
            dg.AssetCheckResult(
                asset_key=ARCHIVED_WORKFLOWS,
                check_name=ARGO_DELETES,
                passed=not risks,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={
                    "at_risk": len(risks),
                    "exceptions": exceptions_table([(r.path, r.key, r.sentence) for r in risks]),
                },
            ),
        ],
    )
