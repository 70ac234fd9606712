"""The sensor of finished workflows, one for each cluster: asks for an archive run when something finished."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import msgspec

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.retries import Patience
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.core.watch_cursors import Scope, WatchCursor, decode, encode
from argo_retention.defs.cluster.checks import (
    api_answers_name,
    archived_lately_name,
    is_archived_lately,
)
from argo_retention.defs.cluster.reports import live_workflows_report
from argo_retention.defs.jobs import ARCHIVE_JOB, ARCHIVING_JOBS
from argo_retention.defs.keys import (
    BY_SENSOR,
    CLUSTER_TAG,
    LIVE_WORKFLOWS,
    TRIGGER_TAG,
    in_python_name,
)
from argo_retention.defs.runs import run_asked_for, run_at_work
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.discovering import discover
from argo_retention.operations.log_tasks import first_line
from argo_retention.operations.watching import (
    Overview,
    Seen,
    look_for_finished,
    look_over,
    sampled_bytes,
)
from argo_retention.sites import open_cluster, utc_now

#: Dagster kills a tick after a minute, and until then no other sensor has its turn.
TICK_SECONDS = 30.0
#: Of one answer; a page of a list has twice as long.
ANSWER_SECONDS = 3.0
#: The next tick comes by itself, and a pause grows from tick to tick.
TICK_PATIENCE = Patience(attempts=1)
#: Argo's place and instanceID are looked up again after so long.
SCOPE_FOR = timedelta(minutes=10)
REPORT_EVERY = timedelta(minutes=5)


def build_sensors(
    settings: Settings, *, clock: Callable[[], datetime] = utc_now
) -> list[dg.SensorDefinition]:
    """One for each cluster, named after it."""
    return [_sensor(cluster, own, clock) for cluster, own in settings.clusters.items()]


def _sensor(
    cluster: str, settings: ClusterSettings, clock: Callable[[], datetime]
) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"finished_workflows_sensor_{in_python_name(cluster)}",
        job_name=ARCHIVE_JOB,
        minimum_interval_seconds=max(1, int(settings.sensor.interval.total_seconds())),
        description=(
            f"Archives finished workflows of cluster {cluster} soon after they finish, "
            "and reports what is live."
        ),
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _Tick(cluster, settings, context, clock()).result()

    return sensor


class _Tick:
    """One evaluation of the sensor of one cluster."""

    def __init__(
        self,
        cluster: str,
        settings: ClusterSettings,
        context: dg.SensorEvaluationContext,
        now: datetime,
    ) -> None:
        self._cluster = cluster
        self._settings = settings
        self._instance = context.instance
        self._text = context.cursor or ""
        self._now = now
        self._events: list[dg.AssetMaterialization | dg.AssetCheckEvaluation] = []

    def result(self) -> dg.SensorResult:
        """Look, and ask for a run or say why not. A cluster in trouble is a skip, never an exception."""
        try:
            api = open_cluster(
                self._settings,
                self._cluster,
                patience=TICK_PATIENCE,
                read_seconds=ANSWER_SECONDS,
                limit_seconds=TICK_SECONDS,
            )
        except ArgoRetentionError as error:
            # Without a kubeconfig nobody knows which server the cursor is of: it stays as it is.
            self._events.append(self._check(error))
            return self._skip(first_line(error), self._text)
        cursor, anew = decode(self._text, server=api.fingerprint)
        cursor = self._after_the_run_relied_on(cursor)
        if cursor.not_before is not None and self._now < cursor.not_before:
            return self._skip(_put_off(cursor), encode(cursor))
        try:
            cursor, scope = self._scope(api, cursor)
            cursor, seen = self._look(api, scope, cursor, anew)
            cursor = self._report(api, scope, cursor, seen.overview)
        except ArgoRetentionError as error:
            cursor = cursor.put_off(self._now, trouble=first_line(error))
            cursor = msgspec.structs.replace(cursor, is_failing=True)
            self._events.append(self._check(error))
            return self._skip(_put_off(cursor), encode(cursor))
        finally:
            api.close()
        return self._ask(self._lateness(cursor), seen)

    def _after_the_run_relied_on(self, cursor: WatchCursor) -> WatchCursor:
        """Where the run that was to archive failed, everything is listed again, later each time."""
        relied_on = cursor.relied_on
        if cursor.asked:
            asked = run_asked_for(self._instance, cursor.asked)
            if asked is None:  # somebody has removed it: what it was to archive is not known
                return msgspec.structs.replace(cursor, asked="", version="")
            relied_on = asked.run_id
            cursor = msgspec.structs.replace(cursor, asked="", relied_on=relied_on)
        run = self._instance.get_run_by_id(relied_on) if relied_on else None
        if run is not None and not run.is_finished:
            return cursor
        cursor = msgspec.structs.replace(cursor, relied_on="")
        if run is None:
            return cursor
        if run.is_success:
            return msgspec.structs.replace(cursor, failures=0)
        trouble = f"Run {run.run_id}, which was to archive what had finished, {_ended(run)}."
        return msgspec.structs.replace(cursor.put_off(self._now, trouble=trouble), version="")

    def _scope(self, api: KubernetesCluster, cursor: WatchCursor) -> tuple[WatchCursor, Scope]:
        """What the installation manages, looked up again now and then."""
        known, until = cursor.scope, cursor.scope_until
        if known is not None and until is not None and self._now < until:
            return cursor, known
        installation = discover(api, self._settings, partition=self._cluster)
        scope = Scope(selector=installation.selector, namespace=installation.managed_namespace)
        if scope != known:  # what was not looked at is not known
            cursor = msgspec.structs.replace(cursor, version="")
        until = self._now + SCOPE_FOR
        return msgspec.structs.replace(cursor, scope=scope, scope_until=until), scope

    def _look(
        self, api: KubernetesCluster, scope: Scope, cursor: WatchCursor, anew: str
    ) -> tuple[WatchCursor, Seen]:
        because = anew or ("a run that was relied on failed" if cursor.failures else "")
        seen = look_for_finished(
            api, scope, cursor.version, settled=cursor.settled, because=because
        )
        if cursor.is_failing or anew:
            self._events.append(self._check(None))
        cursor = cursor.with_seen(
            seen.finished.keys(), seen.gone, now=self._now, listed=bool(seen.listed)
        )
        return (
            msgspec.structs.replace(
                cursor,
                version=seen.version,
                settled=seen.settled,
                failures=0 if cursor.is_failing else cursor.failures,
                is_failing=False,
                not_before=None,
            ),
            seen,
        )

    def _report(
        self,
        api: KubernetesCluster,
        scope: Scope,
        cursor: WatchCursor,
        overview: Overview | None,
    ) -> WatchCursor:
        """Report what is live, when something changed, and not too often."""
        last = cursor.reported_at
        if not cursor.changed or (last is not None and self._now - last < REPORT_EVERY):
            return cursor
        counted = overview or look_over(api, scope)
        self._events.append(
            live_workflows_report(
                counted,
                cluster=self._cluster,
                size=sampled_bytes(api, scope, counted.live),
                now=self._now,
            )
        )
        return msgspec.structs.replace(cursor, changed=False, reported_at=self._now)

    def _lateness(self, cursor: WatchCursor) -> WatchCursor:
        """Say when the archive falls behind, and when it is well again: a run cannot say that none ran."""
        within = self._settings.archive.late_after
        if not within:
            return cursor
        is_recent, found = is_archived_lately(
            self._instance, self._cluster, within=within, now=self._now
        )
        if cursor.is_late is (not is_recent):
            return cursor
        self._events.append(
            dg.AssetCheckEvaluation(
                asset_key=LIVE_WORKFLOWS,
                check_name=archived_lately_name(self._cluster),
                passed=is_recent,
                severity=dg.AssetCheckSeverity.WARN,
                metadata={"found": found},
            )
        )
        return msgspec.structs.replace(cursor, is_late=not is_recent)

    def _ask(self, cursor: WatchCursor, seen: Seen) -> dg.SensorResult:
        at_work = run_at_work(self._instance, self._cluster)
        if at_work is not None:
            if at_work.dagster_run.job_name in ARCHIVING_JOBS:
                began = at_work.start_time
                cursor = cursor.covered_by(
                    at_work.dagster_run.run_id,
                    datetime.fromtimestamp(began, tz=UTC) if began else None,
                )
            waiting = f"; {len(cursor.waiting)} finished workflows wait" if cursor.waiting else ""
            run_id = at_work.dagster_run.run_id
            return self._skip(
                f"Run {run_id} is at work on cluster {self._cluster}{waiting}.", encode(cursor)
            )
        if not cursor.waiting:
            return self._skip(_nothing_waits(seen), encode(cursor))
        own = self._settings.sensor
        if not cursor.batch_is_due(self._now, min_batch=own.min_batch, max_wait=own.max_wait):
            return self._skip(
                f"{len(cursor.waiting)} finished workflows wait; a run is asked for from "
                f"{own.min_batch} on (sensor.min_batch), or at {_at(cursor.due_at(own.max_wait))} "
                "(sensor.max_wait).",
                encode(cursor),
            )
        key = f"{self._cluster}:{cursor.server}:{cursor.version}"
        asked = msgspec.structs.replace(cursor, waiting={}, asked=key)
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(
                    run_key=key,
                    partition_key=self._cluster,
                    tags={CLUSTER_TAG: self._cluster, TRIGGER_TAG: BY_SENSOR},
                )
            ],
            cursor=encode(asked),
            asset_events=self._events,
        )

    def _skip(self, why: str, cursor: str) -> dg.SensorResult:
        return dg.SensorResult(skip_reason=why, cursor=cursor, asset_events=self._events)

    def _check(self, error: ArgoRetentionError | None) -> dg.AssetCheckEvaluation:
        return dg.AssetCheckEvaluation(
            asset_key=LIVE_WORKFLOWS,
            check_name=api_answers_name(self._cluster),
            passed=error is None,
            metadata={"found": str(error) if error is not None else "It answers."},
        )


def _nothing_waits(seen: Seen) -> str:
    if seen.listed:
        return (
            f"None of {seen.looked_at} workflows has finished and waits to be archived; "
            f"all were listed, because {seen.listed}."
        )
    return f"{seen.looked_at} changes since the last look, none of them a workflow that finished."


def _at(moment: datetime | None) -> str:
    return f"{moment:%H:%M:%S} UTC" if moment is not None else "the next tick"


def _put_off(cursor: WatchCursor) -> str:
    often = f" This was the {cursor.failures}. time in a row." if cursor.failures > 1 else ""
    return f"{cursor.trouble}{often} Looks again at {_at(cursor.not_before)}."


def _ended(run: dg.DagsterRun) -> str:
    return "was canceled" if run.status is dg.DagsterRunStatus.CANCELED else "failed"
