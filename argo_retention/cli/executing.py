"""Running one of our Dagster jobs in this process, and reading the outcome of any run."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.errors import (
    DagsterHomeNotSetError,
    DagsterInvariantViolationError,
)
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin

from argo_retention.core.settings import Settings
from argo_retention.defs.building import build_location
from argo_retention.defs.failures import failure_of
from argo_retention.errors import ConfigurationError
from argo_retention.operations.site import Progress
from argo_retention.sites import utc_now

LOCATION = "argo_retention"
REPOSITORY = "__repository__"

# Dagster would print every event; the operator gets our tables, and the events are in the UI.
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: metadata of each materialization by the asset's last name, or the failure."""

    run_id: str
    job: str
    cluster: str
    success: bool
    assets: Mapping[str, Mapping[str, Any]]
    failed_checks: tuple[str, ...] = ()
    failure: str = ""  # our error's message
    exit_code: int = field(default=0)


def dagster_instance() -> dg.DagsterInstance:
    """The instance of DAGSTER_HOME. Raises ConfigurationError when it is not set or no folder."""
    try:
        return dg.DagsterInstance.get()
    except DagsterHomeNotSetError as error:
        raise ConfigurationError(
            "DAGSTER_HOME is not set, so there is no Dagster instance to record the run in.\n"
            "Set it to the folder that holds dagster.yaml (an empty folder will do to try)."
        ) from error
    except DagsterInvariantViolationError as error:
        raise ConfigurationError(
            f"DAGSTER_HOME is {os.environ.get('DAGSTER_HOME')!r}; expected the absolute path of a folder.\n"
            "Set it to the folder that holds dagster.yaml (an empty folder will do to try)."
        ) from error


def run_job(
    settings: Settings,
    *,
    job: str,
    cluster: str,
    instance: dg.DagsterInstance,
    progress: Progress,
    run_config: Mapping[str, Any] | None = None,
    by_whom: str,
    clock: Any = utc_now,
) -> RunOutcome:
    """Execute the job for one cluster in this process and wait for its end.

    Like `JobDefinition.execute_in_process`, which does not say where the job comes from: without that the UI
    neither lists the run on the job's page nor can execute it again.
    """
    definition = build_location(settings, progress=progress, clock=clock).resolve_job_def(job)
    location = RegisteredCodeLocationOrigin(LOCATION)
    run = instance.create_run_for_job(
        definition,
        run_config={**QUIET, **(run_config or {})},
        tags={
            **definition.get_tags_for_partition_key(cluster, selected_asset_keys=None),
            "user": by_whom,
        },
        remote_job_origin=RemoteRepositoryOrigin(location, REPOSITORY).get_job_origin(job),
    )
    execute_run(InMemoryJob(definition), run, instance)
    return outcome_of(instance, run.run_id, job=job, cluster=cluster)


def is_ended(instance: dg.DagsterInstance, run_id: str) -> bool:
    """Whether the run has ended, or somebody has removed it from the instance."""
    run = instance.get_run_by_id(run_id)
    return run is None or run.is_finished


def outcome_of(instance: dg.DagsterInstance, run_id: str, *, job: str, cluster: str) -> RunOutcome:
    """Read a finished run's outcome from the event log."""
    run = instance.get_run_by_id(run_id)
    success = run is not None and run.status is dg.DagsterRunStatus.SUCCESS
    assets: dict[str, Mapping[str, Any]] = {}
    failed_checks: list[str] = []
    failure, exit_code, stopped_by = "", 0 if success else 1, ""
    for record in instance.all_logs(run_id):
        event = record.dagster_event
        if event is None:
            continue
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            materialization = event.step_materialization_data.materialization
            name = materialization.asset_key.path[-1]
            assets[name] = {k: _plain(v) for k, v in materialization.metadata.items()}
        elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            evaluation = event.asset_check_evaluation_data
            if not evaluation.passed:
                failed_checks.append(evaluation.check_name)
                stopped_by = stopped_by or _stopping(evaluation)
        elif event.event_type is dg.DagsterEventType.STEP_FAILURE and not failure:
            failure, exit_code = failure_of(event.step_failure_data)
            failure = stopped_by or failure  # Dagster's own words name no reason
        elif event.event_type is dg.DagsterEventType.PIPELINE_FAILURE and not failure:
            failure = event.message or "the run failed"
    if success and any(int(asset.get("refused") or 0) for asset in _counted(assets)):
        exit_code = 1
    return RunOutcome(
        run_id=run_id,
        job=job,
        cluster=cluster,
        success=success,
        assets=assets,
        failed_checks=tuple(failed_checks),
        failure=failure,
        exit_code=exit_code,
    )


def _counted(assets: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Outcomes that count refusals; what a plan holds back is no failure."""
    names = ("archived_workflows", "retention_outcome", "expiry_outcome")
    return [assets[name] for name in names if name in assets]


def _stopping(evaluation: dg.AssetCheckEvaluation) -> str:
    """What a check found that stops the run; "" for one that does not."""
    if not evaluation.blocking or evaluation.severity is not dg.AssetCheckSeverity.ERROR:
        return ""
    found = evaluation.metadata.get("found")
    unsaid = f"Check {evaluation.check_name} does not hold; its metadata in Dagster's UI say why."
    return str(found.value) if found is not None else unsaid


def _plain(value: Any) -> Any:
    """A metadata value as JSON can hold it; schemas and lineage are not of the run, pictures no text."""
    if isinstance(value, dg.TableSchemaMetadataValue | dg.TableColumnLineageMetadataValue):
        return None
    is_picture = isinstance(value, dg.MarkdownMetadataValue) and (value.value or "").startswith(
        "!["
    )
    return None if is_picture else value.value
