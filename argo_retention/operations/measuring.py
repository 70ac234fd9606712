"""Numbers of one installation for a monitoring system; from the ledger and the last snapshot, no list."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from argo_retention.operations.archiving import to_archive
from argo_retention.operations.previewing import is_ready, preview_at
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import last_snapshot, workflows_of

AHEAD = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One installation."""

    snapshot_age: float  # seconds since the last list that was believed
    live: int
    finished: int
    unproven: int  # finished in that list, and not proven
    archive_lag: float  # seconds since the oldest of these was created; 0 without one
    rows: int
    deleted_by_rule: Mapping[str, int]
    vanished: int
    expired: int
    unsettled_logs: int
    log_bytes: int
    archive_bytes: int
    to_delete: int  # within seven days, as things are
    to_expire: int


def measure(site: Site) -> Measured | None:
    """The numbers; None before the first run. Raises DatabaseError, ObjectStoreError or ClusterError."""
    installation = site.installation
    clustername, instanceid = installation.clustername, installation.instanceid
    snapshot = last_snapshot(site) if is_ready(site.archive.facts()) else None
    if snapshot is None or snapshot.taken_at is None:
        return None
    now = site.clock()
    needs = to_archive(site)
    waiting = [w.created_at for w in workflows_of(site, snapshot) if w.is_finished and needs(w)]
    ahead = preview_at(site, now + AHEAD)
    counts = site.archive.counts(clustername=clustername, instanceid=instanceid)
    by_rule = site.archive.deleted_by_rule(clustername=clustername, instanceid=instanceid)
    sizes = site.archive.sizes(clustername=clustername)
    return Measured(
        snapshot_age=(now - snapshot.taken_at).total_seconds(),
        live=snapshot.live,
        finished=snapshot.finished,
        unproven=len(waiting),
        archive_lag=(now - min(waiting)).total_seconds() if waiting else 0.0,
        rows=counts["rows"],
        deleted_by_rule={rule: number for rule, number in by_rule.items() if rule},
        vanished=counts.get("deletions_vanished", 0),
        expired=counts["expired"],
        unsettled_logs=counts.get("logs_unsettled", 0),
        log_bytes=sizes["logs"],
        archive_bytes=sizes["archive"],
        to_delete=len(ahead.retention.removals) if ahead.retention else 0,
        to_expire=len(ahead.expiry.removals) if ahead.expiry else 0,
    )
