"""The label `workflow-archiving-status: Archived` on workflows that stay in the cluster.

Argo's server shows the archive row in place of a live object with that label, so it is set only where the row
was proven and Argo's own archive is on. What is about to be deleted is left alone.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from argo_retention.core.labels import ArchivingStatus
from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.ports.cluster import PatchOutcome
from argo_retention.core.reasons import Verdict
from argo_retention.operations.pacing import Pace
from argo_retention.operations.planning import plan_now
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import read_snapshot
from argo_retention.operations.waiting import result_of

IN_FLIGHT = 8  # the API server is not faster with more
BATCH = 200


def label_archived(site: Site, grant: LeaseGrant) -> int:
    """Set the label where it is missing; how many were set. Raises ClusterError, DatabaseError."""
    installation = site.installation
    if not installation.argo.persistence.archive:
        return 0
    _, workflows = read_snapshot(site)
    todo = _to_label(site, workflows)
    pace = Pace(installation.policy.brakes.per_second)
    stop = threading.Event()
    labelled = 0

    def patch(workflow: LiveWorkflow) -> tuple[str, tuple[int, int]] | None:
        if not pace.wait(stop):
            return None
        result = site.cluster.mark_archived(
            namespace=workflow.namespace,
            name=workflow.name,
            uid=workflow.uid,
            resource_version=workflow.resource_version,
        )
        if result.outcome is not PatchOutcome.PATCHED:
            return None  # it went or changed meanwhile; the next run sees it as it is then
        return workflow.uid, (workflow.resource_version, result.resource_version)

    with ThreadPoolExecutor(IN_FLIGHT, thread_name_prefix="label") as pool:
        try:
            for start in range(0, len(todo), BATCH):
                sent = [pool.submit(patch, workflow) for workflow in todo[start : start + BATCH]]
                patched = [p for p in map(result_of, sent) if p]
                site.archive.record_patched(grant, dict(patched))
                labelled += len(patched)
                site.progress("label", labelled, len(todo))
        finally:
            stop.set()  # after an interruption those that wait for their turn end at once
    return labelled


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
