"""The expiry plan, and its outcome: the only asset through which archive rows and log objects go."""

import dagster as dg

from argo_retention.defs.config import PlanConfig
from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    EXPIRY_OUTCOME,
    EXPIRY_PLAN,
    GROUP,
    LOG_OBJECTS,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.defs.metadata import column_lineage, column_schema, exceptions_table, mode_of
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retrying import tried_again
from argo_retention.errors import PlanRefusedError
from argo_retention.operations.expiring import expire
from argo_retention.operations.expiry_plans import (
    EXPIRY_PLAN_COLUMNS,
    EXPIRY_PLAN_SCHEMA,
    expiry_reasons,
    make_expiry_plan,
)

LINEAGE = {
    **{column: [(ARCHIVED_WORKFLOWS, column)] for column in ("uid", "namespace", "name", "phase")},
    "finished_at": [(ARCHIVED_WORKFLOWS, "workflow")],
    "digest": [(ARCHIVED_WORKFLOWS, "workflow")],
    "live_version": [(WORKFLOW_SNAPSHOT, "resource_version")],
}


def expiry_plan(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/expiry_plan`."""

    @dg.asset(
        key=EXPIRY_PLAN,
        deps=[WORKFLOW_SNAPSHOT, LOG_OBJECTS, ARCHIVED_WORKFLOWS],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"parquet"},
        description="Archive rows past their TTL, which go and which stay, and why.",
        metadata={
            "dagster/column_schema": column_schema(EXPIRY_PLAN_SCHEMA, EXPIRY_PLAN_COLUMNS),
            "dagster/column_lineage": column_lineage(LINEAGE),
        },
    )
    def expiry_plan(
        context: dg.AssetExecutionContext, argo: dg.ResourceParam[ArgoSites]
    ) -> dg.MaterializeResult:
        with tried_again():
            site, grant = argo.open(context.partition_key)
            made = make_expiry_plan(site, grant)
        kept = [d for d in made.plan.decisions if d.verdict.value == "keep"]
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(made.plan.decisions),
                "dagster/uri": made.uri,
                "plan_id": made.record.plan_id,
                "remove": len(made.plan.removals),
                "reasons": dict(expiry_reasons(made.plan.decisions)),
                "brake": made.plan.refusal or "no",
                "exceptions": exceptions_table(
                    [
                        (f"{d.namespace}/{d.name}", d.reason.value, d.sentence)
                        for d in kept
                        if d.reason.value != "within_ttl"
                    ]
                ),
            }
        )

    return expiry_plan


def expiry_outcome(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/expiry_outcome`."""

    @dg.asset(
        key=EXPIRY_OUTCOME,
        deps=[EXPIRY_PLAN],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"postgres", "s3"},
        description=(
            "What became of the plan: rows, labels and log objects that went as one unit. "
            "In mode observe (the default) nothing is deleted."
        ),
    )
    def expiry_outcome(
        context: dg.AssetExecutionContext,
        config: PlanConfig,
        argo: dg.ResourceParam[ArgoSites],
    ) -> dg.MaterializeResult:
        site, grant = argo.open(context.partition_key)
        try:
            expired = expire(site, grant, plan_id=config.plan_id)
        except PlanRefusedError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        for failure in expired.failed[:20]:
            context.log.warning("%s", failure)
        kept = [
            (place, "kept", why)
            for place, _, why in (text.partition(": ") for text in expired.kept_objects)
        ]
        failed = [
            (place, "failed", why)
            for place, _, why in (text.partition(": ") for text in expired.failed)
        ]
        return dg.MaterializeResult(
            metadata={
                "plan_id": expired.plan.plan_id,
                "mode": mode_of(applied=expired.applied, paused=expired.paused),
                "paused": expired.paused or "no",
                "planned": expired.planned,
                "expired": expired.units_done,
                "resumed": expired.resumed,
                "kept_by_a_fresh_look": expired.not_now,
                "objects": dict(expired.objects),
                "refused": len(expired.failed),
                "exceptions": exceptions_table([*failed, *kept]),
            }
        )

    return expiry_outcome
