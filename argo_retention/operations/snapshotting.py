"""The snapshot: a complete metadata-only list of the installation's workflows, kept as one Parquet file."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argo_retention.core import labels
from argo_retention.core.ledger import Deletion, LeaseGrant, SnapshotRecord
from argo_retention.core.live_workflows import LiveWorkflow, OwnerReference
from argo_retention.core.policy import SHARE_COUNTS_FROM
from argo_retention.core.ports.cluster import MetadataPage
from argo_retention.errors import ListIncompleteError
from argo_retention.operations.identifying import begin_run, check_identity, check_list
from argo_retention.operations.site import Site
from argo_retention.operations.vanishing import note_vanished

SNAPSHOT_SCHEMA: Mapping[str, str] = {
    "uid": "string",
    "namespace": "string",
    "name": "string",
    "phase": "string",
    "finished": "bool",
    "archiving_status": "string",
    "template": "string",
    "resource_version": "int64",
    "created_at": "timestamp",
    "deleting": "bool",
    "labels": "map",
    "annotations": "map",
    "finalizers": "strings",
    "owners": "strings",
}

SNAPSHOT_COLUMNS: Mapping[str, str] = {
    "uid": "metadata.uid: the identity of a workflow; names are used again, uids are not",
    "namespace": "metadata.namespace",
    "name": "metadata.name",
    "phase": "label workflows.argoproj.io/phase",
    "finished": "label completed is true and the phase is a completed one",
    "archiving_status": "label workflows.argoproj.io/workflow-archiving-status",
    "template": "WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow it came from, by its labels",
    "resource_version": "metadata.resourceVersion as a number",
    "created_at": "metadata.creationTimestamp, UTC",
    "deleting": "metadata.deletionTimestamp is set",
    "labels": "metadata.labels",
    "annotations": "those of argo-retention.io only: holds, TTLs and restored-from",
    "finalizers": "metadata.finalizers",
    "owners": "metadata.ownerReferences as kind/name/uid",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What was listed, and where it is kept."""

    record: SnapshotRecord
    uri: str
    by_phase: Mapping[str, int]
    refusal: str  # why nothing may be deleted by it; "" when it may
    vanished: Sequence[Deletion] = ()  # since the last list, and not by us


def take_snapshot(site: Site, grant: LeaseGrant) -> Snapshot:
    """List, write the file, remember the counts.

    Raises ListIncompleteError or IdentityError; then there is no snapshot.
    """
    installation = site.installation
    known = check_identity(site)
    path = snapshot_path(installation.partition, site.run_id)
    by_phase: dict[str, int] = {}
    versions: list[int] = []
    uids: set[str] = set()
    last = last_snapshot(site)

    def batches() -> Iterator[Sequence[Mapping[str, Any]]]:
        done = 0
        for page in _pages(site):
            if not versions:  # the same on each page
                versions.append(check_list(site, page.resource_version))
            done += len(page.workflows)
            for workflow in page.workflows:
                phase = workflow.phase or "none"
                by_phase[phase] = by_phase.get(phase, 0) + 1
                uids.add(workflow.uid)
                if workflow.is_finished:
                    by_phase["finished"] = by_phase.get("finished", 0) + 1
            total = None if page.remaining is None else done + page.remaining
            site.progress("snapshot", done, total or done)
            yield [to_row(workflow) for workflow in page.workflows]

    uri = site.tables.write(path, SNAPSHOT_SCHEMA, batches())
    finished = by_phase.pop("finished", 0)
    live = sum(by_phase.values())
    refusal = _refusal_after(site, live, last)
    version = versions[0] if versions else 0
    begin_run(site, grant, known, resource_version=version)
    record = SnapshotRecord(
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        run_id=site.root_run,
        path=path,
        live=live,
        finished=finished,
        resource_version=str(version),
        accepted=not refusal,
    )
    vanished: Sequence[Deletion] = ()
    if last is not None and not refusal:
        listed = workflows_of(site, last)
        vanished = note_vanished(site, grant, last=last, listed=listed, present=uids)
    # Last: a run that is killed before compares with the same list again.
    site.archive.record_snapshot(grant, record)
    return Snapshot(record=record, uri=uri, by_phase=by_phase, refusal=refusal, vanished=vanished)


def last_snapshot(site: Site) -> SnapshotRecord | None:
    """The last list of this installation that was believed."""
    installation = site.installation
    return site.archive.last_snapshot(
        clustername=installation.clustername, instanceid=installation.instanceid
    )


def refusal_of_counts(site: Site, live: int) -> str:
    """Why a list with this many workflows is not believed; "" when it is.

    A list that is empty while the last one was not, or that lost more than `brakes.max_drop` beyond what
    we deleted ourselves, more likely means a wrong context, selector or right than a clean cluster.
    """
    return _refusal_after(site, live, last_snapshot(site))


def _refusal_after(site: Site, live: int, last: SnapshotRecord | None) -> str:
    installation = site.installation
    if last is None or last.taken_at is None:
        return ""
    ours = site.archive.deletions_since(
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        since=last.taken_at,
    )
    expected = max(last.live - ours, 0)
    max_drop = installation.policy.brakes.max_drop
    fell = expected - live
    if live == 0 and expected > 0 and max_drop < 1:
        what = f"The list is empty, {expected} workflows were expected"
    elif expected >= SHARE_COUNTS_FROM and fell > max_drop * expected:
        what = f"The list has {live} workflows, {expected} were expected"
    else:
        return ""
    return (
        f"{what} (last list {last.taken_at:%Y-%m-%d %H:%M:%SZ}, less what we deleted since).\n"
        "Check the context, the instanceID and the rights (`argo-retention doctor`). If somebody really "
        "deleted them, run once with brakes.max_drop: 1. Nothing was deleted."
    )


def snapshot_path(partition: str, run_id: str) -> str:
    """Path of the file below storage.uri."""
    return f"snapshots/{partition}/{run_id}.parquet"


def stream_snapshot(site: Site) -> tuple[SnapshotRecord, Iterator[LiveWorkflow]]:
    """The snapshot of this root run, to be gone through once; ListIncompleteError when it took none."""
    installation = site.installation
    record = site.archive.snapshot_of_run(
        clustername=installation.clustername, run_id=site.root_run
    )
    if record is None:
        raise ListIncompleteError(
            f"Run {site.root_run} has no snapshot of cluster {installation.partition}.\n"
            "Materialize workflow_snapshot in the same run (the jobs do)."
        )
    return record, workflows_of(site, record)


def read_snapshot(site: Site) -> tuple[SnapshotRecord, list[LiveWorkflow]]:
    """The snapshot of this root run as a whole. Raises ListIncompleteError when it took none."""
    record, workflows = stream_snapshot(site)
    return record, list(workflows)


def workflows_of(site: Site, record: SnapshotRecord) -> Iterator[LiveWorkflow]:
    """The workflows of a kept list, to be gone through once."""
    return (from_row(row) for batch in site.tables.read(record.path) for row in batch)


def list_live(site: Site) -> list[LiveWorkflow]:
    """All workflows now, by a fresh consistent list, to be looked at."""
    return [workflow for page in _pages(site) for workflow in page.workflows]


def list_to_delete_by(site: Site) -> list[LiveWorkflow]:
    """The same, to delete by it: IdentityError where the cluster was set back."""
    pages = list(_pages(site))
    check_list(site, pages[0].resource_version)
    return [workflow for page in pages for workflow in page.workflows]


def _pages(site: Site) -> Iterator[MetadataPage]:
    return site.cluster.list_metadata(
        selector=site.installation.selector, namespace=site.installation.managed_namespace
    )


def to_row(workflow: LiveWorkflow) -> dict[str, Any]:
    """One row of the file."""
    return {
        "uid": workflow.uid,
        "namespace": workflow.namespace,
        "name": workflow.name,
        "phase": workflow.phase,
        "finished": workflow.is_finished,
        "archiving_status": workflow.archiving_status,
        "template": workflow.template,
        "resource_version": workflow.resource_version,
        "created_at": workflow.created_at,
        "deleting": workflow.deleting,
        "labels": dict(workflow.labels),
        "annotations": {k: v for k, v in workflow.annotations.items() if k in _OUR_ANNOTATIONS},
        "finalizers": list(workflow.finalizers),
        "owners": [f"{owner.kind}/{owner.name}/{owner.uid}" for owner in workflow.owners],
    }


_OUR_ANNOTATIONS = frozenset({labels.HOLD, labels.ARCHIVE_TTL, labels.RESTORED_FROM})


def from_row(row: Mapping[str, Any]) -> LiveWorkflow:
    """The workflow of one row."""
    owners = [owner.split("/", 2) for owner in row["owners"]]
    return LiveWorkflow(
        uid=row["uid"],
        namespace=row["namespace"],
        name=row["name"],
        resource_version=row["resource_version"],
        created_at=row["created_at"],
        deleting=row["deleting"],
        labels=row["labels"],
        annotations=row["annotations"],
        finalizers=tuple(row["finalizers"]),
        owners=tuple(OwnerReference(kind=k, name=n, uid=u) for k, n, u in owners),
    )
