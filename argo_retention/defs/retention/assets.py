"""The retention plan, and its outcome: the only asset through which workflows leave the cluster."""

import time

import dagster as dg
from rich.filesize import decimal

from argo_retention.core.reasons import OUTCOMES
from argo_retention.defs import columns
from argo_retention.defs.config import RetentionOutcomeConfig
from argo_retention.defs.history import drop_old_runs
from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    DELETES_TAG,
    GROUP,
    LOG_OBJECTS,
    PLAN_TAG,
    RETENTION_OUTCOME,
    RETENTION_PLAN,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.defs.metadata import (
    a_second,
    exceptions_table,
    mode_of,
)
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retention.looks import looks_of, table_of
from argo_retention.defs.retrying import tried_again
from argo_retention.defs.story import counted, name_exceptions
from argo_retention.errors import DatabaseError, ObjectStoreError, PlanRefusedError
from argo_retention.operations.collecting import PAUSED, collect
from argo_retention.operations.plan_figures import difference, last_plan
from argo_retention.operations.planning import (
    make_plan,
    refused,
    unproven_removals,
)
from argo_retention.operations.tidying import tidy

PLANNED_IS_PROVEN = "nothing_planned_is_unproven"


def retention_plan(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/retention_plan`."""

    @dg.asset(
        key=RETENTION_PLAN,
        deps=[WORKFLOW_SNAPSHOT, LOG_OBJECTS, ARCHIVED_WORKFLOWS],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"parquet"},
        description="What policy keeps and removes, and why, for every workflow: one Parquet file.",
        metadata=columns.PLAN,
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
            site, grant = argo.open(context.partition_key, context.log)
            before = last_plan(site)
            made = make_plan(site, grant)
            unproven = unproven_removals(site, made.plan)
            diff = difference(site, made.plan, before)
        try:
            tidy(site, grant)
        except (DatabaseError, ObjectStoreError) as error:  # the next run drops what is old
            context.log.warning("Old snapshots and plans stay for now: %s", error)
        keep_runs = site.installation.settings.storage.keep_runs
        if keep_runs:
            dropped = drop_old_runs(
                context.instance, context.partition_key, before=site.clock() - keep_runs
            )
            context.log.info("Dagster forgot %s runs that were older than %s.", dropped, keep_runs)
        held_back = refused(made.plan.decisions)
        context.log.info(
            "Plan %s: %s of %s workflows would go, %s are held back.",
            made.record.plan_id,
            f"{len(made.plan.removals):,}",
            f"{len(made.plan.decisions):,}",
            f"{len(held_back):,}",
        )
        name_exceptions(context.log, table_of(held_back))
        if made.plan.refusal:
            context.log.warning(made.plan.refusal)
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
        kinds={"kubernetes", "postgres"},
        metadata=columns.OUTCOME,
        tags={DELETES_TAG: "workflows"},
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
        site, grant = argo.open(context.partition_key, context.log)
        begun = time.monotonic()
        try:
            collected = collect(
                site, grant, plan_id=config.plan_id, allow_deletions=config.allow_deletions
            )
        except PlanRefusedError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        mode = mode_of(applied=collected.applied, paused=collected.paused)
        context.log.info(
            "Plan %s, mode %s: %s. About %s of etcd freed.",
            collected.plan.plan_id,
            mode,
            counted(collected.outcomes),
            decimal(collected.freed_bytes),
        )
        stayed = [
            (f"{d.namespace}/{d.name}", *_reason_and_sentence(d.outcome))
            for d in collected.deletions
            if d.outcome not in {"deleted", "observed"}
        ]
        if collected.paused:  # that says it for all of them
            context.log.warning("Nothing more is deleted: %s", collected.paused)
        name_exceptions(context.log, [each for each in stayed if each[1] != PAUSED])
        return dg.MaterializeResult(
            metadata={
                "plan_id": collected.plan.plan_id,
                "mode": mode,
                "paused": collected.paused or "no",
                "planned": collected.plan.removals,
                "deleted": collected.deleted,
                "deleted_per_second": a_second(collected.deleted, time.monotonic() - begun),
                "freed_etcd_bytes": collected.freed_bytes,
                "outcomes": dict(collected.outcomes),
                "resolved_from_earlier_runs": len(collected.resolved),
                "refused": len(collected.problems),
                "exceptions": exceptions_table(stayed),
            }
        )

    return retention_outcome


def _reason_and_sentence(outcome: str) -> tuple[str, str]:
    reason, _, sentence = outcome.partition(": ")
    return reason, sentence or OUTCOMES.get(reason, "")
