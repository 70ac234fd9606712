"""All definitions for given settings; touches no server and reads no file."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import dagster as dg

from argo_retention.core.settings import Settings
from argo_retention.defs.alerts import build_alerts
from argo_retention.defs.archive.assets import archive_assets
from argo_retention.defs.cluster.assets import external_assets, workflow_snapshot
from argo_retention.defs.cluster.checks import health, watching_checks
from argo_retention.defs.expiry.assets import expiry_outcome, expiry_plan
from argo_retention.defs.jobs import build_jobs
from argo_retention.defs.resources import argo_resource
from argo_retention.defs.retention.assets import retention_outcome, retention_plan
from argo_retention.defs.schedules import build_schedules
from argo_retention.defs.sensors import build_sensors
from argo_retention.errors import ConfigurationError
from argo_retention.operations.site import Progress, no_progress
from argo_retention.sites import utc_now


def build_definitions(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    progress: Progress = no_progress,
) -> dg.Definitions:
    """Assets, checks, jobs, schedules and sensors for every cluster of the settings.

    There is no executor in it, so that a host location can merge it with its own (`dg.Definitions.merge`).
    """
    clusters = dg.StaticPartitionsDefinition(sorted(settings.clusters))
    with _features_in_preview():
        assets: list[dg.AssetsDefinition | dg.AssetSpec] = [
            *external_assets(clusters),
            workflow_snapshot(clusters),
            archive_assets(clusters),
            retention_plan(clusters),
            retention_outcome(clusters),
            expiry_plan(clusters),
            expiry_outcome(clusters),
        ]
        checks = [
            health(clusters),
            *watching_checks(settings, clock=clock),
        ]
        owned = dg.map_asset_specs(
            lambda spec: spec.replace_attributes(owners=settings.owners), assets
        )
        referenced = dg.with_source_code_references(owned)
    jobs = build_jobs(clusters)
    return dg.Definitions(
        assets=referenced,
        asset_checks=checks,
        jobs=jobs,
        schedules=build_schedules(settings),
        sensors=[*build_sensors(settings, clock=clock), *build_alerts(settings, jobs)],
        resources={"argo": argo_resource(settings, clock=clock, progress=progress)},
    )


@contextmanager
def _features_in_preview() -> Iterator[None]:
    """Checks by partition, since one result for all clusters would hide the sick one; and code references.

    Dagster says at each definition that they may change; the version of Dagster is pinned.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Specifying a partitions_def", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def build_location(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    progress: Progress = no_progress,
) -> dg.Definitions:
    """The same as a code location of its own: steps run in the process of their run.

    They are few and coarse, and a process for each costs two seconds. Raises ConfigurationError where
    `executor` needs what is not installed.
    """
    return dg.Definitions.merge(
        build_definitions(settings, clock=clock, progress=progress),
        dg.Definitions(executor=_executor(settings)),
    )


def _executor(settings: Settings) -> dg.ExecutorDefinition:
    if settings.executor == "in_process":
        return dg.in_process_executor
    try:
        from dagster_k8s import k8s_job_executor  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise ConfigurationError(
            "executor: k8s_job needs dagster-k8s, which is not installed.\n"
            "Install argo-retention[k8s] where runs are executed, or leave executor out."
        ) from error
    return k8s_job_executor
