"""Kubernetes objects in memory: versions, finalizers, cascade, history; and what the port makes of them."""

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argo_retention.core import labels
from argo_retention.core.live_workflows import LiveWorkflow, OwnerReference
from argo_retention.core.ports.cluster import ContainerState, DeleteOutcome, Pod
from argo_retention.core.selectors import LabelSelector

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a Workflow: None before it was made, None after it is gone."""

    version: int
    before: Manifest | None
    after: Manifest | None


class Objects:
    """All objects of a cluster, under one rising version."""

    def __init__(self) -> None:
        self.version = 1000
        self.compacted = 0
        self.history: list[Change] = []
        self._objects: dict[tuple[str, str, str], Manifest] = {}
        self._made = 0

    def add(self, manifest: Mapping[str, Any], stamp: str) -> Manifest:
        """Put in an object, its metadata filled in, and its namespace with it."""
        made = copy.deepcopy(dict(manifest))
        kind = made.setdefault("kind", "Workflow")
        made.setdefault("apiVersion", "argoproj.io/v1alpha1" if kind == "Workflow" else "v1")
        meta = made.setdefault("metadata", {})
        self._made += 1
        meta.setdefault("uid", f"{self._made:08d}-0000-4000-8000-000000000000")
        meta.setdefault("creationTimestamp", stamp)
        if kind != "Namespace":
            namespace = meta.setdefault("namespace", "default")
            if self.get("Namespace", "", namespace) is None:
                self.add({"kind": "Namespace", "metadata": {"name": namespace}}, stamp)
        if "resourceVersion" in meta:
            self.version = max(self.version, int(meta["resourceVersion"]))
            meta["resourceVersion"] = str(meta["resourceVersion"])
            self._objects[_key(made)] = made
        else:
            self.write(made)
        return made

    def get(self, kind: str, namespace: str, name: str) -> Manifest | None:
        """One object."""
        return self._objects.get((kind, namespace, name))

    def select(self, kind: str, namespace: str | None, selector: str) -> list[Manifest]:
        """Copies of the objects of a kind, as the server orders them."""
        wanted = LabelSelector.parse(selector)
        found = [
            (key, manifest)
            for key, manifest in self._objects.items()
            if key[0] == kind
            and namespace in (None, key[1])
            and wanted.matches(manifest["metadata"].get("labels") or {})
        ]
        return [copy.deepcopy(manifest) for _, manifest in sorted(found, key=lambda pair: pair[0])]

    def write(self, manifest: Manifest) -> Manifest:
        """Store an object in a new version."""
        before = self._objects.get(_key(manifest))
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        self._objects[_key(manifest)] = manifest
        self._record(before, manifest)
        return manifest

    def change(self, manifest: Manifest, change: Callable[[Manifest], object]) -> Manifest:
        """Change a copy and store it; one that is being deleted goes with its last finalizer."""
        changed = copy.deepcopy(manifest)
        change(changed)
        self.write(changed)
        meta = changed["metadata"]
        if "deletionTimestamp" in meta and not meta.get("finalizers"):
            self.drop(changed)
        return changed

    def delete(self, manifest: Manifest, stamp: str) -> DeleteOutcome:
        """Delete as the server does: a finalizer keeps the object, marked."""
        if not manifest["metadata"].get("finalizers"):
            self.drop(manifest)
            return DeleteOutcome.DELETED
        if "deletionTimestamp" not in manifest["metadata"]:
            self.change(manifest, lambda it: it["metadata"].update(deletionTimestamp=stamp))
        return DeleteOutcome.TERMINATING

    def drop(self, manifest: Manifest) -> None:
        """Remove an object for good, and what it alone owns."""
        del self._objects[_key(manifest)]
        self.version += 1
        self._record(manifest, None)
        gone = manifest["metadata"]["uid"]
        live = {it["metadata"]["uid"] for it in self._objects.values()}
        for owned in list(self._objects.values()):
            owners = {owner["uid"] for owner in owned["metadata"].get("ownerReferences") or ()}
            if gone in owners and not owners & live:
                self.delete(owned, owned["metadata"]["creationTimestamp"])

    def _record(self, before: Manifest | None, after: Manifest | None) -> None:
        if (after or before or {}).get("kind") == "Workflow":
            self.history.append(
                Change(
                    version=self.version, before=copy.deepcopy(before), after=copy.deepcopy(after)
                )
            )


def _key(manifest: Manifest) -> tuple[str, str, str]:
    meta = manifest["metadata"]
    return manifest["kind"], meta.get("namespace", ""), meta["name"]


def is_version(manifest: Manifest, uid: str, resource_version: int) -> bool:
    """Whether this is the object and version that a precondition names."""
    meta = manifest["metadata"]
    return bool(meta["uid"] == uid and meta["resourceVersion"] == str(resource_version))


def as_bytes(manifest: Manifest) -> bytes:
    """The object as the API would send it."""
    return json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode()


def live_workflow(manifest: Manifest) -> LiveWorkflow:
    """Metadata of a Workflow; KeyError or ValueError where it lacks what each object has."""
    meta = manifest["metadata"]
    return LiveWorkflow(
        uid=meta["uid"],
        namespace=meta["namespace"],
        name=meta["name"],
        resource_version=int(meta["resourceVersion"]),
        created_at=datetime.fromisoformat(meta["creationTimestamp"]),
        deleting="deletionTimestamp" in meta,
        labels=dict(meta.get("labels") or {}),
        annotations=dict(meta.get("annotations") or {}),
        finalizers=tuple(meta.get("finalizers") or ()),
        owners=tuple(
            OwnerReference(kind=owner["kind"], name=owner["name"], uid=owner["uid"])
            for owner in meta.get("ownerReferences") or ()
        ),
    )


def pod(manifest: Manifest) -> Pod:
    """What the port says of a pod."""
    meta, status = manifest["metadata"], manifest.get("status", {})
    statuses = [
        *status.get("initContainerStatuses", ()),
        *status.get("containerStatuses", ()),
    ]
    return Pod(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        phase=status.get("phase", ""),
        workflow_uids=tuple(
            owner["uid"]
            for owner in meta.get("ownerReferences", ())
            if owner["kind"] == "Workflow" and owner["apiVersion"].startswith("argoproj.io/")
        ),
        node_id=meta.get("annotations", {}).get(labels.NODE_ID, ""),
        containers={entry["name"]: _container(entry) for entry in statuses},
    )


def _container(entry: Mapping[str, Any]) -> ContainerState:
    for state, detail in entry.get("state", {}).items():
        return ContainerState(name=entry["name"], state=state, reason=detail.get("reason", ""))
    return ContainerState(name=entry["name"], state="unknown")


def watch_event(
    change: Change, wanted: LabelSelector, namespace: str | None
) -> tuple[str, LiveWorkflow, str] | None:
    """The event that a watch with this selector gets for a change, if any."""

    def seen(manifest: Manifest | None) -> bool:
        return (
            manifest is not None
            and namespace in (None, manifest["metadata"]["namespace"])
            and wanted.matches(manifest["metadata"].get("labels") or {})
        )

    match seen(change.before), seen(change.after):
        case False, False:
            return None
        case False, True:
            kind = "ADDED"
        case True, True:
            kind = "MODIFIED"
        case _:
            kind = "DELETED"
    manifest = copy.deepcopy(change.after or change.before or {})
    manifest["metadata"]["resourceVersion"] = str(change.version)
    return kind, live_workflow(manifest), str(change.version)
