"""What is posted to a webhook: failed runs of our jobs, our checks that begin to fail or are well again."""

import os
from collections.abc import Sequence
from typing import Any

import dagster as dg
import msgspec

from argo_retention.adapters.webhooks import post_text
from argo_retention.core.settings import Settings
from argo_retention.defs.failures import our_failure
from argo_retention.defs.keys import CLUSTER_TAG, PREFIX
from argo_retention.defs.runs import PARTITION_TAG
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.log_tasks import first_line

FAILED_RUNS = "argo_retention_failed_runs"
FAILED_CHECKS = "argo_retention_failed_checks"
INTERVAL_SECONDS = 60
#: Evaluations of one tick; more than these wait for the next.
AT_ONCE = 500


class _Known(msgspec.Struct, omit_defaults=True):
    """The cursor of the checks' sensor."""

    after: float = (
        0.0  # time of the last evaluation that was looked at: ids differ from store to store
    )
    failing: list[str] = []  # "asset: check [cluster]" that was told, and not yet that it is well


def build_alerts(settings: Settings, jobs: Sequence[object]) -> list[dg.SensorDefinition]:
    """Both sensors, where the settings name a webhook; none otherwise."""
    variable = settings.alerts.webhook_env
    if variable is None:
        return []
    return [_failed_runs(variable, jobs), _failed_checks(variable)]


def _failed_runs(variable: str, jobs: Sequence[object]) -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name=FAILED_RUNS,
        monitored_jobs=list(jobs),  # type: ignore[arg-type]
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Posts each failed run of argo_retention's jobs to the webhook.",
    )
    def failed_runs(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        cluster = run.tags.get(CLUSTER_TAG) or run.tags.get(PARTITION_TAG) or "no cluster"
        why = _why([event.step_failure_data for event in context.get_step_failure_events()])
        post_text(_url(variable), f"Run {run.run_id} of {run.job_name} on {cluster} failed: {why}")

    return failed_runs


def _failed_checks(variable: str) -> dg.SensorDefinition:
    @dg.sensor(
        name=FAILED_CHECKS,
        minimum_interval_seconds=INTERVAL_SECONDS,
        description="Posts to the webhook when a check of argo_retention begins to fail, or is well again.",
    )
    def failed_checks(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = _known(context.cursor)
        records = context.instance.get_event_records(
            dg.EventRecordsFilter(
                event_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION,
                after_timestamp=known.after or None,
            ),
            limit=AT_ONCE,
            ascending=True,
        )
        failing = dict.fromkeys(known.failing)
        said: dict[str, str] = {}
        for record in records:
            event = record.event_log_entry.dagster_event
            if event is None:
                continue
            evaluation = event.asset_check_evaluation_data
            if evaluation.asset_key.path[0] != PREFIX:
                continue
            name = _name(evaluation, event.partition)
            was_failing = name in failing
            if evaluation.passed:
                failing.pop(name, None)
            else:
                failing[name] = None
            if was_failing != (not evaluation.passed):
                said[name] = (
                    "is well again" if evaluation.passed else f"fails: {_found(evaluation)}"
                )
        after = records[-1].timestamp if records else known.after
        cursor = msgspec.json.encode(_Known(after=after, failing=list(failing))).decode()
        if not said:
            return dg.SensorResult(
                skip_reason=f"{len(records)} evaluations, none that begins to fail.", cursor=cursor
            )
        lines = [f"Check {name} {what}" for name, what in said.items()]
        try:
            post_text(_url(variable), "\n".join(lines))
        except ArgoRetentionError as error:
            # The cursor stays, so that nothing is left unsaid.
            return dg.SensorResult(skip_reason=first_line(error), cursor=context.cursor)
        return dg.SensorResult(skip_reason=f"Posted: {'; '.join(lines)}", cursor=cursor)

    return failed_checks


def _why(failures: Sequence[Any]) -> str:
    """The first line of our own error; what others say may not be for everybody who reads the webhook."""
    if not failures:
        return "it ended without a step that failed; its process may have been killed"
    ours = our_failure(failures[0])
    return ours[0].partition("\n")[0] if ours is not None else "its events in Dagster's UI say why"


def _known(cursor: str | None) -> _Known:
    try:
        return msgspec.json.decode(cursor or "{}", type=_Known)
    except msgspec.MsgspecError:  # of another release
        return _Known()


def _name(evaluation: dg.AssetCheckEvaluation, partition: str | None) -> str:
    cluster = evaluation.partition or partition
    where = f" [{cluster}]" if cluster else ""
    return f"{evaluation.asset_key.to_user_string()}: {evaluation.check_name}{where}"


def _found(evaluation: dg.AssetCheckEvaluation) -> str:
    """What the check says it found, or its numbers; tables stay in the UI."""
    metadata = {name: value.value for name, value in evaluation.metadata.items()}
    if "found" in metadata:
        return str(metadata["found"]).partition("\n")[0]
    numbers = [f"{name} {value}" for name, value in metadata.items() if isinstance(value, int)]
    return ", ".join(numbers) or "its metadata in Dagster's UI say why"


def _url(variable: str) -> str:
    return os.environ.get(variable, "")
