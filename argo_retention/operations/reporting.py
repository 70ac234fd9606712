"""How one installation stands: what was last seen, what the archive and the ledger hold, who works on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argo_retention.core.ledger import DatabaseFacts, PlanRecord, SnapshotRecord
from argo_retention.operations.pausing import pause_now
from argo_retention.operations.previewing import is_ready
from argo_retention.operations.site import Installation, Site

PLAN_KINDS = ("retention", "expiry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One installation; without our tables there are no counts, no snapshot, no plans and no lease."""

    installation: Installation
    database: DatabaseFacts
    archive_ready: bool  # False: no run was here yet
    snapshot: SnapshotRecord | None = None  # the last one that was believed
    counts: Mapping[str, int]
    lease: Mapping[str, Any] | None = None  # root_run, host, since, heartbeat; None: free
    plans: Mapping[str, PlanRecord]  # kind → the last one
    paused: str = ""  # who paused deletions, since when and why


def report(site: Site) -> Report:
    """Read only. Raises DatabaseError or ClusterError."""
    installation = site.installation
    facts = site.archive.facts()
    if not is_ready(facts):
        return Report(
            installation=installation, database=facts, archive_ready=False, counts={}, plans={}
        )
    clustername, instanceid = installation.clustername, installation.instanceid
    plans = {
        kind: site.archive.plan_record(clustername=clustername, kind=kind) for kind in PLAN_KINDS
    }
    return Report(
        installation=installation,
        database=facts,
        archive_ready=True,
        snapshot=site.archive.last_snapshot(clustername=clustername, instanceid=instanceid),
        counts=site.archive.counts(clustername=clustername, instanceid=instanceid),
        lease=site.archive.lease_holder(clustername=clustername, instanceid=instanceid),
        plans={
            kind: record
            for kind, record in plans.items()
            if record is not None and record.instanceid == instanceid
        },
        paused=pause_now(site),
    )
