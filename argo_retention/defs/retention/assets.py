"""The retention plan, and its outcome: the only asset through which workflows leave the cluster."""

import dagster as dg

from argo_retention.core.reasons import OUTCOMES
from argo_retention.defs.config import RetentionOutcomeConfig
from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    GROUP,
    LOG_OBJECTS,
    PLAN_TAG,
    RETENTION_OUTCOME,
    RETENTION_PLAN,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.defs.metadata import column_lineage, column_schema, exceptions_table, mode_of
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retention.looks import looks_of
from argo_retention.defs.retrying import tried_again
from argo_retention.errors import DatabaseError, ObjectStoreError, PlanRefusedError
from argo_retention.operations.collecting import collect
from argo_retention.operations.plan_figures import difference, last_plan
from argo_retention.operations.planning import (
    PLAN_COLUMNS,
    PLAN_SCHEMA,
    make_plan,
    unproven_removals,
)
from argo_retention.operations.tidying import tidy

PLANNED_IS_PROVEN = "nothing_planned_is_unproven"

LINEAGE = {
    **{
        column: [(WORKFLOW_SNAPSHOT, column)]
        for column in ("uid", "namespace", "name", "phase", "created_at", "resource_version")
    },
    "finished_at": [(ARCHIVED_WORKFLOWS, "workflow")],
    "lost_logs": [(LOG_OBJECTS, "state")],
    "verdict": [(WORKFLOW_SNAPSHOT, "labels"), (ARCHIVED_WORKFLOWS, "uid"), (LOG_OBJECTS, "state")],
}


def retention_plan(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/retention_plan`."""

    @dg.asset(
        key=RETENTION_PLAN,
        deps=[WORKFLOW_SNAPSHOT, LOG_OBJECTS, ARCHIVED_WORKFLOWS],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"parquet"},
        description="What policy keeps and removes, and why, for every workflow: one Parquet file.",
        metadata={
            "dagster/column_schema": column_schema(PLAN_SCHEMA, PLAN_COLUMNS),
            "dagster/column_lineage": column_lineage(LINEAGE),
        },
        check_specs=[
            dg.AssetCheckSpec(
                PLANNED_IS_PROVEN,
                asset=RETENTION_PLAN,
                partitions_def=clusters,
                blocking=True,
                description="Every planned removal is proven at its version, its logs settled.",
            )
        ],
    )
    def retention_plan(
        context: dg.AssetExecutionContext, argo: dg.ResourceParam[ArgoSites]
    ) -> dg.MaterializeResult:
        with tried_again():
            site, grant = argo.open(context.partition_key)
            before = last_plan(site)
            made = make_plan(site, grant)
            unproven = unproven_removals(site, made.plan)
            diff = difference(site, made.plan, before)
        try:
            tidy(site, grant)
        except (DatabaseError, ObjectStoreError) as error:  # the next run drops what is old
            context.log.warning("Old snapshots and plans stay for now: %s", error)
        context.instance.add_run_tags(context.run.run_id, {PLAN_TAG: made.record.plan_id})
        return dg.MaterializeResult(
            metadata=looks_of(made, diff, now=site.clock()),
            check_results=[
                dg.AssetCheckResult(
                    check_name=PLANNED_IS_PROVEN,
                    passed=not unproven,
                    metadata={"unproven": len(unproven), "first": ", ".join(unproven[:20])},
                )
            ],
        )

    return retention_plan


def retention_outcome(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/retention_outcome`."""

    @dg.asset(
        key=RETENTION_OUTCOME,
        deps=[RETENTION_PLAN],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"kubernetes"},
        description=(
            "What became of the plan: deleted workflows with their proof. "
            "In mode observe (the default) nothing is deleted."
        ),
    )
    def retention_outcome(
        context: dg.AssetExecutionContext,
        config: RetentionOutcomeConfig,
        argo: dg.ResourceParam[ArgoSites],
    ) -> dg.MaterializeResult:
        site, grant = argo.open(context.partition_key)
        try:
            collected = collect(
                site, grant, plan_id=config.plan_id, allow_deletions=config.allow_deletions
            )
        except PlanRefusedError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        problems = collected.problems
        for deletion in problems[:20]:
            context.log.warning("%s/%s: %s", deletion.namespace, deletion.name, deletion.outcome)
        return dg.MaterializeResult(
            metadata={
                "plan_id": collected.plan.plan_id,
                "mode": mode_of(applied=collected.applied, paused=collected.paused),
                "paused": collected.paused or "no",
                "planned": collected.plan.removals,
                "deleted": collected.deleted,
                "outcomes": dict(collected.outcomes),
                "resolved_from_earlier_runs": len(collected.resolved),
                "refused": len(problems),
                "exceptions": exceptions_table(
                    [
                        (f"{d.namespace}/{d.name}", *_reason_and_sentence(d.outcome))
                        for d in collected.deletions
                        if d.outcome not in {"deleted", "observed"}
                    ]
                ),
            }
        )

    return retention_outcome


def _reason_and_sentence(outcome: str) -> tuple[str, str]:
    reason, _, sentence = outcome.partition(": ")
    return reason, sentence or OUTCOMES.get(reason, "")
