"""The server-side tables that kubectl get prints."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    SECRETS,
    WORKFLOWS,
    Resource,
)

_NAME_DESCRIPTION = (
    "Name must be unique within a namespace. Is required when creating resources, although some "
    "resources may allow a client to request the generation of an appropriate name automatically. "
    "Name is primarily intended for creation idempotence and configuration definition. Cannot be "
    "updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/"
    "names#names"
)

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column: its heading, and its cell in the row of an object."""

    name: str
    cell: Callable[[Document, datetime], Any]
    type: str = "string"
    format: str = ""
    description: str = ""
    #: Above 0: shown by `-o wide` only.
    priority: int = 0

    def definition(self) -> dict[str, Any]:
        """The column as the head of a Table has it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def human_duration(seconds: float) -> str:
    """How long ago, as kubectl prints it: `19h`, `3d4h`, `2m5s`."""
    total = max(int(seconds), 0)
    if total < 120:
        return f"{total}s"
    minutes, second = divmod(total, 60)
    if minutes < 10:
        return f"{minutes}m{second}s" if second else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    hours, minute = divmod(minutes, 60)
    if hours < 8:
        return f"{hours}h{minute}m" if minute else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    days, hour = divmod(hours, 24)
    if days < 8:
        return f"{days}d{hour}h" if hour else f"{days}d"
    if days < 2 * 365:
        return f"{days}d"
    years, day = divmod(days, 365)
    return f"{years}y{day}d" if years < 8 and day else f"{years}y"


def _age(text: str | None, now: datetime) -> str | None:
    if not text:
        return None
    return human_duration((now - datetime.fromisoformat(text)).total_seconds())


def _path(*path: str) -> Callable[[Document, datetime], Any]:
    def cell(document: Document, _now: datetime) -> Any:
        value: Any = document
        for part in path:
            value = (value or {}).get(part)
        return value

    return cell


def _created(document: Document, now: datetime) -> str | None:
    return _age(document["metadata"].get("creationTimestamp"), now) or "<unknown>"


def _statuses(document: Document) -> Sequence[Document]:
    found: Sequence[Document] = document.get("status", {}).get("containerStatuses") or ()
    return found


def _pod_ready(document: Document, _now: datetime) -> str:
    ready = sum(1 for status in _statuses(document) if status.get("ready"))
    return f"{ready}/{len(document.get('spec', {}).get('containers') or ())}"


def _pod_status(document: Document, _now: datetime) -> str:
    if "deletionTimestamp" in document["metadata"]:
        return "Terminating"
    phase: str = document.get("status", {}).get("phase", "Unknown")
    for status in _statuses(document):
        state = status.get("state", {})
        reason = (state.get("waiting") or state.get("terminated") or {}).get("reason")
        if reason and phase != "Running":
            return "Completed" if phase == "Succeeded" else str(reason)
    return phase


def _deployment_ready(document: Document, _now: datetime) -> str:
    ready = document.get("status", {}).get("readyReplicas", 0)
    return f"{ready}/{document.get('spec', {}).get('replicas', 1)}"


def _size(field: str) -> Callable[[Document, datetime], int]:
    return lambda document, _now: len(document.get(field) or ())


_NAME = Column(
    name="Name", format="name", description=_NAME_DESCRIPTION, cell=_path("metadata", "name")
)
_AGE = Column(name="Age", description="Time since the object was created", cell=_created)

_COLUMNS: Mapping[Resource, Sequence[Column]] = {
    WORKFLOWS: (
        _NAME,
        Column(name="Status", description="Status of the workflow", cell=_path("status", "phase")),
        Column(
            name="Age",
            type="date",
            format="date-time",
            description="When the workflow was started",
            cell=lambda document, now: _age(document.get("status", {}).get("startedAt"), now),
        ),
        Column(
            name="Message",
            description=(
                "Human readable message indicating details about why the workflow is in this "
                "condition."
            ),
            cell=_path("status", "message"),
        ),
    ),
    PODS: (
        _NAME,
        Column(name="Ready", cell=_pod_ready),
        Column(name="Status", cell=_pod_status),
        Column(
            name="Restarts",
            type="integer",
            cell=lambda document, _now: sum(
                status.get("restartCount", 0) for status in _statuses(document)
            ),
        ),
        _AGE,
        Column(name="IP", cell=_path("status", "podIP"), priority=1),
        Column(name="Node", cell=_path("spec", "nodeName"), priority=1),
    ),
    SECRETS: (
        _NAME,
        Column(name="Type", cell=lambda document, _now: document.get("type", "Opaque")),
        Column(name="Data", type="integer", cell=_size("data")),
        _AGE,
    ),
    CONFIG_MAPS: (_NAME, Column(name="Data", type="integer", cell=_size("data")), _AGE),
    DEPLOYMENTS: (
        _NAME,
        Column(name="Ready", cell=_deployment_ready),
        Column(
            name="Up-to-date",
            type="integer",
            cell=lambda document, _now: document.get("status", {}).get("updatedReplicas", 0),
        ),
        Column(
            name="Available",
            type="integer",
            cell=lambda document, _now: document.get("status", {}).get("availableReplicas", 0),
        ),
        _AGE,
    ),
    NAMESPACES: (_NAME, Column(name="Status", cell=_path("status", "phase")), _AGE),
}


def table(
    resource: Resource,
    records: Iterable[Record],
    *,
    metadata: Document,
    include_object: str,
    now: datetime,
) -> dict[str, Any]:
    """The Table of some objects of a kind.

    Beside its cells each row carries what `include_object` says: `Metadata` (the API's default),
    `Object` or `None`.
    """
    columns = _COLUMNS.get(resource, (_NAME, _AGE))
    rows: list[dict[str, Any]] = []
    for record in records:
        document = record.document()
        row: dict[str, Any] = {"cells": [column.cell(document, now) for column in columns]}
        if include_object == "Object":
            row["object"] = document
        elif include_object != "None":
            row["object"] = msgspec.Raw(record.partial)
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": dict(metadata),
        "columnDefinitions": [column.definition() for column in columns],
        "rows": rows,
    }
