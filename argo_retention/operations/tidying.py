"""Our own traces do not grow for ever: old snapshots and plans, and what is recorded of the long gone."""

from argo_retention.core.ledger import LeaseGrant
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import last_snapshot

FOLDERS = ("snapshots", "plans")
PLAN_KINDS = ("retention", "expiry")


def tidy(site: Site, grant: LeaseGrant) -> int:
    """Drop files and records older than `storage.keep` and `storage.keep_ledger`; how many files and records.

    The newest snapshot and the newest plan of each kind stay, however old. Raises DatabaseError or
    ObjectStoreError; what was dropped by then is gone, and the next run drops the rest.
    """
    settings = site.installation.settings.storage
    now = site.clock()
    traces = now - settings.keep if settings.keep else None
    ledger = now - settings.keep_ledger if settings.keep_ledger else None
    dropped = 0
    if traces is not None:
        in_use = _in_use(site)
        for folder in FOLDERS:
            prefix = f"{folder}/{site.installation.partition}"
            for path, at in site.tables.written(prefix).items():
                if at < traces and path not in in_use:
                    site.tables.remove(path)
                    dropped += 1
    forgotten = site.archive.forget(grant, traces_before=traces, ledger_before=ledger)
    return dropped + sum(forgotten.values())


def _in_use(site: Site) -> set[str]:
    clustername = site.installation.clustername
    records = [
        last_snapshot(site),
        *(site.archive.plan_record(clustername=clustername, kind=kind) for kind in PLAN_KINDS),
    ]
    return {record.path for record in records if record is not None}
