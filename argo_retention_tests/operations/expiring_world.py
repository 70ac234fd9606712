"""Archived workflows on fakes that are past their TTL."""

from datetime import timedelta

from argo_retention.core.ledger import ExpiryUnit
from argo_retention_tests.operations.at_work import NAMESPACE, NOW, AtWork

TTL = {"argo": {"archiveTTL": "30d"}, "bucket": {"exclusive": True}}
LATER = NOW + timedelta(days=40)


def work_with(
    *names: str, settings: dict[str, object] | None = None, stays: bool = False
) -> AtWork:
    """Archived ones, 40 days later and gone from the cluster (unless they stay), beside a running one."""
    work = AtWork({**TTL, **(settings or {})})
    for name in names:
        work.run(name, log=f"log of {name}\n".encode())
    work.cluster.add_workflow("running", namespace=NAMESPACE, phase=None)
    work.archived()
    if not stays:
        for name in names:
            work.cluster.remove("Workflow", NAMESPACE, name)
    work.at(LATER)
    work.next_run()
    return work


def uid_of(work: AtWork, name: str) -> str:
    return next(row.uid for row in work.archive.argo_rows.values() if row.name == name)


def units(work: AtWork) -> dict[str, ExpiryUnit]:
    """name → unit."""
    return {unit.name: unit for _, unit in work.archive.units.values()}


def keys(work: AtWork) -> set[str]:
    return set(work.bucket.objects)
