"""The label `workflow-archiving-status: Archived` on workflows that stay in the cluster.

Argo's server shows the archive row in place of a live object with that label, so it is set only where the row
was proven and Argo's own archive is on. What is about to be deleted is left alone.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from argo_retention.core.labels import ArchivingStatus
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.ports.cluster import PatchOutcome
from argo_retention.core.reasons import Verdict
from argo_retention.errors import ClusterError, ClusterForbiddenError
from argo_retention.operations.log_tasks import first_line
from argo_retention.operations.pacing import Pace
from argo_retention.operations.planning import plan_now
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import read_snapshot
from argo_retention.operations.waiting import result_of

IN_FLIGHT = 8  # the API server is not faster with more
BATCH = 200
FAILURES_BEFORE_STOP = 20


@dataclass(slots=True, kw_only=True)
class Labelled:
    """What became of the labels; one that could not be set is set by a later run."""

    count: int = 0
    failed: list[tuple[LiveWorkflow, str]] = field(default_factory=list)  # and why


def label_archived(site: Site, grant: LeaseGrant) -> Labelled:
    """Set the label where it is missing. Raises ClusterForbiddenError, DatabaseError.

    Nothing depends on a label, so a server that fails now and then ends no run here; after
    FAILURES_BEFORE_STOP failures the others wait for the next one.
    """
    installation = site.installation
    result = Labelled()
    if not installation.argo.persistence.archive:
        return result
    _, workflows = read_snapshot(site)
    todo = _to_label(site, workflows)
    pace = Pace(installation.policy.brakes.per_second)
    stop = threading.Event()

    def patch(workflow: LiveWorkflow) -> tuple[str, tuple[int, int]] | None:
        if not pace.wait(stop):
            return None
        try:
            patched = site.cluster.mark_archived(
                namespace=workflow.namespace,
                name=workflow.name,
                uid=workflow.uid,
                resource_version=workflow.resource_version,
            )
        except ClusterForbiddenError:
            raise
        except ClusterError as error:
            result.failed.append((workflow, first_line(error)))
            if len(result.failed) >= FAILURES_BEFORE_STOP:
                stop.set()
            return None
        if patched.outcome is not PatchOutcome.PATCHED:
            return None  # it went or changed meanwhile; the next run sees it as it is then
        return workflow.uid, (workflow.resource_version, patched.resource_version)

    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="label") as pool:
        try:
            for start in range(0, len(todo), BATCH):
                sent = [pool.submit(patch, workflow) for workflow in todo[start : start + BATCH]]
                patched = [p for p in map(result_of, sent) if p]
                site.archive.record_patched(grant, dict(patched))
                result.count += len(patched)
                site.progress("label", result.count, len(todo))
                if stop.is_set():
                    break
        finally:
            stop.set()  # after an interruption those that wait for their turn end at once
    return result


def _to_label(site: Site, workflows: Sequence[LiveWorkflow]) -> list[LiveWorkflow]:
    proven = {
        proof.uid: proof
        for proof in site.archive.proven_versions(clustername=site.installation.clustername)
        if proof.row_exists
    }
    plan = plan_now(site, workflows, now=site.clock())
    going = {d.uid for d in plan.decisions if d.verdict is Verdict.REMOVE}
    return [
        w
        for w in workflows
        if w.is_finished
        and not w.deleting
        and w.archiving_status != ArchivingStatus.ARCHIVED
        and w.uid in proven
        and proven[w.uid].holds_for(w.resource_version)
        and w.uid not in going
    ]
