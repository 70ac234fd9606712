"""The resource `argo`: one open site and its lease for each run and process.

Opened by the first step that asks, closed (and the lease given back) when Dagster tears the run's resources
down, also after a failure, a Terminate or SIGTERM.
"""

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime

import dagster as dg

from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.settings import Settings
from argo_retention.operations.leasing import leased
from argo_retention.operations.site import Progress, Site, no_progress
from argo_retention.operations.telling import telling
from argo_retention.sites import open_site, utc_now

ROOT_RUN_TAG = "dagster/root_run_id"


class ArgoSites:
    """Opens the site of a partition once and holds its lease until the run's resources are torn down."""

    def __init__(
        self,
        settings: Settings,
        stack: ExitStack,
        *,
        run: dg.DagsterRun,
        instance: dg.DagsterInstance,
        clock: Callable[[], datetime],
        progress: Progress,
    ) -> None:
        """Nothing is opened yet."""
        self._settings = settings
        self._stack = stack
        self._run = run
        self._instance = instance
        self._clock = clock
        self._progress = progress
        self._opened: dict[str, tuple[Site, LeaseGrant]] = {}

    def open(self, partition: str, log: logging.Logger) -> tuple[Site, LeaseGrant]:
        """The site, which tells the step's log how far it is, and the lease of this run.

        Raises LeaseHeldError when another run has it.
        """
        if partition not in self._opened:
            root_run = self._run.root_run_id or self._run.run_id
            site = self._stack.enter_context(
                open_site(
                    self._settings,
                    partition,
                    run_id=self._run.run_id,
                    root_run=root_run,
                    by_whom=self._run.tags.get("user") or f"Dagster job {self._run.job_name}",
                    clock=self._clock,
                    progress=self._progress,
                )
            )
            grant = self._stack.enter_context(
                leased(site, host=socket.gethostname(), is_finished=self._is_finished)
            )
            self._opened[partition] = (site, grant)
        site, grant = self._opened[partition]
        return replace(site, progress=telling(log, site.progress)), grant

    def _is_finished(self, root_run: str) -> bool:
        """Whether Dagster knows this root run, and it and all its re-executions have ended."""
        root = self._instance.get_run_by_id(root_run)
        if root is None:
            return False  # of another instance: only its heartbeat tells
        again = self._instance.get_runs(filters=dg.RunsFilter(tags={ROOT_RUN_TAG: root_run}))
        return all(run.is_finished for run in [root, *again])


def argo_resource(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = utc_now,
    progress: Progress = no_progress,
) -> dg.ResourceDefinition:
    """The resource `argo` for these settings; tests give a clock, the command line its progress."""

    @dg.resource(description="Argo's cluster, archive and buckets, with the lease of this run.")
    def argo(context: dg.InitResourceContext) -> Iterator[ArgoSites]:
        if context.run is None or context.instance is None:
            raise dg.DagsterInvariantViolationError("The resource argo exists within a run only.")
        with ExitStack() as stack:
            yield ArgoSites(
                settings,
                stack,
                run=context.run,
                instance=context.instance,
                clock=clock,
                progress=progress,
            )

    return argo
