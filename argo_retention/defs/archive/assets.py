"""Log objects and archived workflows: one streaming multi-asset, logs before the row that names them."""

import logging
from collections.abc import Mapping, Sequence

import dagster as dg
from rich.filesize import decimal

from argo_retention.defs import columns
from argo_retention.defs.history import drawn_over_time
from argo_retention.defs.keys import (
    ARCHIVED_WORKFLOWS,
    GROUP,
    LIVE_WORKFLOWS,
    LOG_OBJECTS,
    POD_LOGS,
    WORKFLOW_SNAPSHOT,
)
from argo_retention.defs.metadata import exceptions_table
from argo_retention.defs.resources import ArgoSites
from argo_retention.defs.retrying import tried_again
from argo_retention.defs.story import name_exceptions
from argo_retention.operations.archiving import Archived, archive_finished
from argo_retention.operations.early_rules import early_rules
from argo_retention.operations.labelling import Labelled, label_archived
from argo_retention.operations.racing import AtRisk, at_risk

ALL_PROVEN = "every_finished_workflow_is_archived_and_proven"
LOGS_SETTLED = "no_row_is_without_its_logs_settled"
ARGO_DELETES = "argo_deletes_nothing_unproven"
LOGS_OUTLIVE = "no_lifecycle_rule_ends_logs_before_their_rows"


def archive_assets(clusters: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    """Build the multi-asset of `argo/log_objects` and `argo/archived_workflows`."""

    @dg.multi_asset(
        name="argo_archive_step",
        specs=[
            dg.AssetSpec(
                LOG_OBJECTS,
                deps=[LIVE_WORKFLOWS, WORKFLOW_SNAPSHOT, POD_LOGS],
                description="Logs of finished workflows in S3 under Argo's own keys.",
                group_name=GROUP,
                kinds={"s3"},
                metadata=columns.LOGS,
                partitions_def=clusters,
            ),
            dg.AssetSpec(
                ARCHIVED_WORKFLOWS,
                deps=[LIVE_WORKFLOWS, WORKFLOW_SNAPSHOT, LOG_OBJECTS],
                description="Rows of argo_archived_workflows, each proven against its live object.",
                group_name=GROUP,
                kinds={"postgres"},
                metadata=columns.ARCHIVE,
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
            site, grant = argo.open(context.partition_key, context.log)
            archived = archive_finished(site, grant)
            labelled = label_archived(site, grant)
            counts = site.archive.counts(
                clustername=site.installation.clustername, instanceid=site.installation.instanceid
            )
            risks = at_risk(site, [r.uid for r in archived.refusals if r.reason != "gone"])
            drawn = drawn_over_time(
                context,
                ARCHIVED_WORKFLOWS,
                "Rows in the archive",
                names={"dagster/row_count": counts["rows"]},
                now=site.clock(),
            )
            rows = _rows_result(
                archived, labelled=labelled, rows=counts["rows"], drawn=drawn, risks=risks
            )
            known = sum(n for word, n in counts.items() if word.startswith("logs_"))
            logs = _logs_result(archived, known=known, early=early_rules(site))
        _tell(context.log, archived, labelled)
        return logs, rows

    return argo_archive_step


def _tell(log: logging.Logger, archived: Archived, labelled: Labelled) -> None:
    log.info(
        "Of %s finished workflows %s were proven before; %s rows written, %s rows found right, %s labels "
        "set. %s logs saved (%s).",
        f"{archived.finished:,}",
        f"{archived.proven_before:,}",
        f"{archived.archived:,}",
        f"{archived.proven_now:,}",
        f"{labelled.count:,}",
        f"{archived.saved_logs:,}",
        decimal(archived.saved_bytes),
    )
    name_exceptions(log, [*_refused(archived), *archived.log_exceptions, *_unlabelled(labelled)])


def _refused(archived: Archived) -> list[tuple[str, str, str]]:
    return [(f"{r.namespace}/{r.name}", r.reason, r.sentence) for r in archived.refusals]


def _unlabelled(labelled: Labelled) -> list[tuple[str, str, str]]:
    return [(f"{w.namespace}/{w.name}", "not labelled", why) for w, why in labelled.failed]


def _logs_result(archived: Archived, *, known: int, early: Sequence[str]) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        asset_key=LOG_OBJECTS,
        metadata={
            "dagster/row_count": known,
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
    archived: Archived,
    *,
    labelled: Labelled,
    rows: int,
    drawn: Mapping[str, dg.MarkdownMetadataValue],
    risks: Sequence[AtRisk],
) -> dg.MaterializeResult:
    late = [r for r in archived.refusals if r.reason not in {"pending", "running", "gone"}]
    exceptions = _refused(archived)
    unsettled = archived.log_exceptions
    return dg.MaterializeResult(
        asset_key=ARCHIVED_WORKFLOWS,
        metadata={
            "dagster/row_count": rows,
            **drawn,
            "finished": archived.finished,
            "proven_before": archived.proven_before,
            "archived": archived.archived,
            "proven_without_writing": archived.proven_now,
            "labelled": labelled.count,
            "refused": len(late),
            "exceptions": exceptions_table([*exceptions, *_unlabelled(labelled)]),
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
