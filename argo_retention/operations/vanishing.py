"""Workflows that left the cluster without us: named in the ledger, so that somebody can say who they were.

Argo's own retentionPolicy, ttlStrategy and cron limits delete, and people do; none of them leaves a word.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from argo_retention.core.ledger import Deletion, LeaseGrant, SnapshotRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.errors import ObjectStoreError
from argo_retention.operations.site import Site

VANISHED = "vanished"
BY_SOMEBODY_ELSE = "somebody else"
BATCH = 1000


def note_vanished(
    site: Site,
    grant: LeaseGrant,
    *,
    last: SnapshotRecord,
    listed: Iterable[LiveWorkflow],
    present: AbstractSet[str],
) -> Sequence[Deletion]:
    """Record, and return, what the last list had, `present` has not, and the ledger does not explain.

    Nothing is noted where the last list's file is gone: it is a report, and no reason to fail.
    """
    try:
        gone = [each for each in listed if each.uid not in present]
    except ObjectStoreError:
        return []
    found: list[Deletion] = []
    for start in range(0, len(gone), BATCH):
        batch = gone[start : start + BATCH]
        explained = site.archive.explained(
            clustername=site.installation.clustername, uids=[each.uid for each in batch]
        )
        of_batch = [_vanished(site, last, each) for each in batch if each.uid not in explained]
        if of_batch:
            site.archive.record_deletions(grant, of_batch)
        found += of_batch
    return found


def not_archived(site: Site, vanished: Sequence[Deletion]) -> Sequence[Deletion]:
    """Those of them whose row is not in the archive: nothing is left of these."""
    rows = {
        proof.uid
        for proof in site.archive.proven_versions(
            clustername=site.installation.clustername, uids=[each.uid for each in vanished]
        )
        if proof.row_exists
    }
    return [each for each in vanished if each.uid not in rows]


def _vanished(site: Site, last: SnapshotRecord, workflow: LiveWorkflow) -> Deletion:
    state = workflow.phase or "no phase"
    return Deletion(
        clustername=site.installation.clustername,
        uid=workflow.uid,
        namespace=workflow.namespace,
        name=workflow.name,
        resource_version=workflow.resource_version,
        rule="",
        rank=None,
        reason=f"{state} in the list of run {last.run_id}, in no list since; not deleted by argo_retention",
        plan_id="",
        run_id=site.run_id,
        by_whom=BY_SOMEBODY_ELSE,
        outcome=VANISHED,
    )
