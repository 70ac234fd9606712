"""What is kept of a workflow before it is deleted, and the copy of it that may be looked at again."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from argo_retention.core import labels
from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.manifests import section

UNDO_SCHEMA: Mapping[str, str] = {
    "uid": "string",
    "namespace": "string",
    "name": "string",
    "clustername": "string",
    "instanceid": "string",
    "phase": "string",
    "startedat": "timestamp",
    "finishedat": "timestamp",
    "creationtimestamp": "timestamp",
    "resource_version": "int64",
    "labels": "map",
    "workflow": "string",
    "kind": "string",
    "reason": "string",
    "plan_id": "string",
    "run_id": "string",
    "by_whom": "string",
    "at": "timestamp",
}
_TIMES = ("startedat", "finishedat", "creationtimestamp")
#: A copy must not live on as what it was: these would delete it, tie it to others, or count it.
_NOT_OF_A_COPY = frozenset(
    {
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "finalizers",
        "ownerReferences",
        "managedFields",
        "selfLink",
        "generateName",
    }
)
_LABELS_NOT_OF_A_COPY = frozenset({labels.CRON_WORKFLOW, labels.ARCHIVING_STATUS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One row as it stood before its workflow was deleted, or it expired."""

    row: ArchiveRow
    kind: str  # "deleted" (from the cluster) or "expired" (from the archive)
    reason: str
    plan_id: str
    run_id: str
    by_whom: str
    at: datetime  # UTC, just before


def to_record(kept: Kept) -> dict[str, Any]:
    """One row of the file; times of Argo's columns are UTC there."""
    row = kept.row
    return {
        "uid": row.uid,
        "namespace": row.namespace,
        "name": row.name,
        "clustername": row.clustername,
        "instanceid": row.instanceid,
        "phase": row.phase,
        **{name: getattr(row, name).replace(tzinfo=UTC) for name in _TIMES},
        "resource_version": row.resource_version,
        "labels": row.labels,
        "workflow": row.workflow.decode(),
        "kind": kept.kind,
        "reason": kept.reason,
        "plan_id": kept.plan_id,
        "run_id": kept.run_id,
        "by_whom": kept.by_whom,
        "at": kept.at,
    }


def from_record(record: Mapping[str, Any]) -> Kept:
    """What `to_record` made."""
    of_row = {name: record[name] for name in UNDO_SCHEMA if name in ArchiveRow.__slots__}
    times = {name: record[name].replace(tzinfo=None) for name in _TIMES}
    return Kept(
        row=ArchiveRow(**{**of_row, **times, "workflow": record["workflow"].encode()}),
        **{name: record[name] for name in Kept.__slots__ if name != "row"},
    )


def copy_to_look_at(workflow: Mapping[str, Any], *, because: str) -> dict[str, Any]:
    """The workflow as an object that can be made in a cluster again, and does nothing there.

    Without uid, finalizers, owners, ttlStrategy and the CronWorkflow's label; held, and with the uid that it
    had, by which we neither archive nor delete it. It is completed, so Argo's controller leaves it alone.
    """
    metadata = section(workflow, "metadata")
    spec, status = section(workflow, "spec"), section(workflow, "status")
    stored = "storedWorkflowTemplateSpec"
    without_ttl = {stored: _without_ttl(section(status, stored))} if stored in status else {}
    kept = {k: v for k, v in metadata.items() if k not in _NOT_OF_A_COPY}
    own_labels = section(metadata, "labels")
    kept["labels"] = {k: v for k, v in own_labels.items() if k not in _LABELS_NOT_OF_A_COPY}
    kept["annotations"] = {
        **section(metadata, "annotations"),
        labels.HOLD: because,
        labels.RESTORED_FROM: str(metadata.get("uid", "")),
    }
    return {
        **workflow,
        "metadata": kept,
        "spec": _without_ttl(spec),
        "status": {**status, **without_ttl},
    }


def _without_ttl(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "ttlStrategy"}
