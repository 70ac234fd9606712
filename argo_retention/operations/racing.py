"""What Argo's controller would delete by itself, soon, before it is proven: a race that it wins.

Argo looks at its keys all the time, and deletes without a word. What is proven by then is no loss.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argo_retention.core import labels
from argo_retention.core.durations import format_duration
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.manifests import decode, section
from argo_retention.core.phases import WorkflowPhase
from argo_retention.core.proofs import facts_of
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import stream_snapshot

#: CronWorkflow's own defaults for successfulJobsHistoryLimit and failedJobsHistoryLimit.
CRON_LIMITS = {True: 3, False: 1}
#: Of those that are not proven, how many are fetched for their own ttlStrategy.
LOOKED_INTO = 50
_LIMIT_KEYS = {True: "successfulJobsHistoryLimit", False: "failedJobsHistoryLimit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRisk:
    """A workflow that is not proven, and by which key Argo deletes it."""

    path: str  # namespace/name
    key: str
    sentence: str


def at_risk(site: Site, unproven: Sequence[str]) -> Sequence[AtRisk]:
    """Of these uids, which are not proven, those that a key of Argo's deletes.

    By the snapshot of this root run: ranks are by creation, as Argo counts. A workflow's own ttlStrategy is
    in its spec, which is fetched for the first LOOKED_INTO that nothing else endangers. Raises
    ListIncompleteError.
    """
    wanted = set(unproven)
    if not wanted:
        return ()
    finished = [w for w in stream_snapshot(site)[1] if w.is_finished]
    by_phase: dict[str, list[datetime]] = defaultdict(list)
    by_cron: dict[tuple[str, str, bool], list[datetime]] = defaultdict(list)
    for workflow in finished:
        by_phase[workflow.phase].append(workflow.created_at)
        if labels.CRON_WORKFLOW in workflow.labels:
            by_cron[_cron_key(workflow)].append(workflow.created_at)
    limits = _CronLimits(site)
    found, looked_into = [], 0
    for workflow in finished:
        if workflow.uid not in wanted:
            continue
        risk = (
            _by_count(site, workflow, by_phase[workflow.phase])
            or _by_cron(workflow, by_cron, limits)
            or _by_default_ttl(site, workflow)
            or _by_pod_gc(site, workflow)
        )
        if risk is None and looked_into < LOOKED_INTO:
            looked_into += 1
            risk = _by_own_ttl(site, workflow)
        if risk is not None:
            found.append(risk)
    return found


def _by_count(site: Site, workflow: LiveWorkflow, created: Sequence[datetime]) -> AtRisk | None:
    policy = site.installation.argo.retention_policy
    if policy is None:
        return None
    limits = {
        WorkflowPhase.SUCCEEDED: policy.succeeded,
        WorkflowPhase.FAILED: policy.failed,
        WorkflowPhase.ERROR: policy.errored,
    }
    limit = limits[WorkflowPhase(workflow.phase)] or 0  # what is left out is 0 in Argo
    rank = 1 + sum(1 for at in created if at > workflow.created_at)
    if rank <= limit:
        return None
    return AtRisk(
        path=workflow.path,
        key="retentionPolicy",
        sentence=f"is number {rank} of the {workflow.phase} ones, Argo keeps {limit}",
    )


def _by_cron(
    workflow: LiveWorkflow,
    by_cron: Mapping[tuple[str, str, bool], Sequence[datetime]],
    limits: "_CronLimits",
) -> AtRisk | None:
    name = workflow.labels.get(labels.CRON_WORKFLOW)
    if name is None:
        return None
    key = _cron_key(workflow)
    limit = limits.of(*key)
    rank = 1 + sum(1 for at in by_cron[key] if at > workflow.created_at)
    if rank <= limit:
        return None
    return AtRisk(
        path=workflow.path,
        key=_LIMIT_KEYS[key[2]],
        sentence=f"is number {rank} of CronWorkflow {name}'s, Argo keeps {limit}",
    )


def _by_default_ttl(site: Site, workflow: LiveWorkflow) -> AtRisk | None:
    spec = section(site.installation.argo.workflow_defaults, "spec")
    strategy = section(spec, "ttlStrategy")
    if not strategy:
        return None
    shown = ", ".join(f"{key} {value}" for key, value in strategy.items())
    return AtRisk(
        path=workflow.path,
        key="ttlStrategy",
        sentence=f"workflowDefaults has {shown}",
    )


def _by_pod_gc(site: Site, workflow: LiveWorkflow) -> AtRisk | None:
    """Its pods go, and with them the logs that only they have; what Argo stores itself is no loss."""
    repository = site.installation.repository
    if repository is not None and repository.archive_logs:
        return None
    spec = section(site.installation.argo.workflow_defaults, "spec")
    strategy = section(spec, "podGC").get("strategy")
    if not strategy:
        return None
    return AtRisk(
        path=workflow.path,
        key="podGC",
        sentence=f"workflowDefaults has {strategy}: its pods go, and Argo does not store their logs",
    )


def _by_own_ttl(site: Site, workflow: LiveWorkflow) -> AtRisk | None:
    """Its ttlStrategy, or that of its template; nothing is said where it cannot be read."""
    try:
        body = site.cluster.get_workflow(namespace=workflow.namespace, name=workflow.name)
        facts = facts_of(decode(body)) if body is not None else None
    except ArgoRetentionError:
        return None
    if facts is None or facts.ttl_seconds is None:
        return None
    return AtRisk(
        path=workflow.path,
        key="ttlStrategy",
        sentence=f"its own keeps it {format_duration(timedelta(seconds=facts.ttl_seconds))} after its end",
    )


def _cron_key(workflow: LiveWorkflow) -> tuple[str, str, bool]:
    succeeded = workflow.phase == WorkflowPhase.SUCCEEDED
    return workflow.namespace, workflow.labels[labels.CRON_WORKFLOW], succeeded


class _CronLimits:
    """History limits of the CronWorkflows, asked for once, and only where one is wanted."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._specs: dict[tuple[str, str], Mapping[str, Any]] | None = None

    def of(self, namespace: str, name: str, succeeded: bool) -> int:
        """How many Argo keeps; its default where the CronWorkflow cannot be read."""
        if self._specs is None:
            self._specs = self._read()
        limit = self._specs.get((namespace, name), {}).get(_LIMIT_KEYS[succeeded])
        return limit if isinstance(limit, int) else CRON_LIMITS[succeeded]

    def _read(self) -> dict[tuple[str, str], Mapping[str, Any]]:
        try:
            crons = self._site.cluster.list_objects(
                kind="CronWorkflow", namespace=self._site.installation.managed_namespace
            )
            return {
                (
                    str(section(c, "metadata")["namespace"]),
                    str(section(c, "metadata")["name"]),
                ): section(c, "spec")
                for c in crons
            }
        except ArgoRetentionError:
            return {}  # the defaults are the smallest: more is said to be at risk, not less
