"""The expiry plan, and its outcome: the only asset through which archive rows and log objects go."""

import time
from collections.abc import Sequence

import dagster as dg
from rich.filesize import decimal

from argo_retention.defs import columns
from argo_retention.defs.config import PlanConfig
from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    DELETES_TAG,
    EXPIRY_OUTCOME,
    EXPIRY_PLAN,
    GROUP,
    LOG_OBJECTS,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.defs.metadata import (
    a_second,
    exceptions_table,
    mode_of,
)
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retrying import tried_again
from argo_retention.defs.story import counted, name_exceptions
from argo_retention.errors import PlanRefusedError
from argo_retention.operations.expiring import expire
from argo_retention.operations.expiry_plans import (
    expiry_reasons,
    make_expiry_plan,
    unnamed_logs,
)

LOGS_NAMED = "log_references_are_complete"


def expiry_plan(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the asset `argo/expiry_plan`."""

    @dg.asset(
        key=EXPIRY_PLAN,
        deps=[WORKFLOW_SNAPSHOT, LOG_OBJECTS, ARCHIVED_WORKFLOWS],
        partitions_def=clusters,
        group_name=GROUP,
        kinds={"parquet"},
        description="Archive rows past their TTL, which go and which stay, and why.",
        metadata=columns.EXPIRIES,
        check_specs=[
            dg.AssetCheckSpec(
                LOGS_NAMED,
                asset=EXPIRY_PLAN,
                partitions_def=clusters,
                description="Each stored log of a row is among the references that guard shared objects.",
            )
        ],
    )
    def expiry_plan(
        context: dg.AssetExecutionContext, argo: dg.ResourceParam[ArgoSites]
    ) -> dg.MaterializeResult:
        with tried_again():
            site, grant = argo.open(context.partition_key, context.log)
            made = make_expiry_plan(site, grant)
            unnamed = unnamed_logs(site)
        kept = [
            (f"{d.namespace}/{d.name}", d.reason.value, d.sentence)
            for d in made.plan.decisions
            if d.verdict.value == "keep" and d.reason.value != "within_ttl"
        ]
        context.log.info(
            "Plan %s: %s of %s rows that may be past their TTL would expire (%s).",
            made.record.plan_id,
            f"{len(made.plan.removals):,}",
            f"{len(made.plan.decisions):,}",
            counted(expiry_reasons(made.plan.decisions)),
        )
        if made.plan.refusal:
            context.log.warning(made.plan.refusal)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(made.plan.decisions),
                "dagster/uri": made.uri,
                "plan_id": made.record.plan_id,
                "remove": len(made.plan.removals),
                "reasons": dict(expiry_reasons(made.plan.decisions)),
                "brake": made.plan.refusal or "no",
                "exceptions": exceptions_table(kept),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=LOGS_NAMED,
                    passed=not unnamed,
                    severity=dg.AssetCheckSeverity.WARN,
                    metadata={
                        "unnamed": len(unnamed),
                        "exceptions": exceptions_table(
                            [
                                (f"{log.namespace}/{log.workflow}", "no reference", log.key)
                                for log in unnamed
                            ]
                        ),
                    },
                )
            ],
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
        metadata=columns.EXPIRED,
        tags={DELETES_TAG: "rows-and-logs"},
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
        site, grant = argo.open(context.partition_key, context.log)
        begun = time.monotonic()
        try:
            expired = expire(site, grant, plan_id=config.plan_id)
        except PlanRefusedError as error:
            raise dg.Failure(description=str(error), allow_retries=False) from error
        kept = _named("kept", expired.kept_objects)
        failed = _named("failed", expired.failed)
        mode = mode_of(applied=expired.applied, paused=expired.paused)
        context.log.info(
            "Plan %s, mode %s: %s of %s rows expired (%s); log objects: %s (%s).",
            expired.plan.plan_id,
            mode,
            f"{expired.units_done:,}",
            f"{expired.planned:,}",
            decimal(expired.row_bytes),
            counted(expired.objects),
            decimal(expired.object_bytes),
        )
        if expired.paused:
            context.log.warning("Nothing more expires: %s", expired.paused)
        name_exceptions(context.log, [*failed, *kept])
        return dg.MaterializeResult(
            metadata={
                "plan_id": expired.plan.plan_id,
                "mode": mode,
                "paused": expired.paused or "no",
                "planned": expired.planned,
                "expired": expired.units_done,
                "expired_per_second": a_second(expired.units_done, time.monotonic() - begun),
                "freed_database_bytes": expired.row_bytes,
                "freed_bucket_bytes": expired.object_bytes,
                "resumed": expired.resumed,
                "kept_by_a_fresh_look": expired.not_now,
                "objects": dict(expired.objects),
                "refused": len(expired.failed),
                "exceptions": exceptions_table([*failed, *kept]),
            }
        )

    return expiry_outcome


def _named(word: str, texts: Sequence[str]) -> list[tuple[str, str, str]]:
    """(object or row, word, why) of texts such as bucket/key: why."""
    parts = (text.partition(": ") for text in texts)
    return [(place, word, why) for place, _, why in parts]
