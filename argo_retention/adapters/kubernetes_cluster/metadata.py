"""ObjectMeta as the API server sends it, typed for msgspec, and made a LiveWorkflow."""

from datetime import datetime
from typing import Any

import msgspec

from argo_retention.core.live_workflows import LiveWorkflow, OwnerReference


class Owner(msgspec.Struct, frozen=True):
    """One entry of ownerReferences."""

    kind: str
    name: str
    uid: str
    apiVersion: str = ""  # noqa: N815 - the API's spelling


class ObjectMeta(msgspec.Struct, frozen=True):
    """What a decision needs of an object's metadata; the first five fields must be there."""

    name: str
    uid: str
    resourceVersion: str  # noqa: N815
    creationTimestamp: datetime  # noqa: N815
    namespace: str
    deletionTimestamp: Any = None  # noqa: N815
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: tuple[str, ...] | None = None
    ownerReferences: tuple[Owner, ...] | None = None  # noqa: N815


class PartialObject(msgspec.Struct, frozen=True):
    """One item of a metadata-only list."""

    metadata: ObjectMeta


def live_workflow(meta: ObjectMeta) -> LiveWorkflow:
    """The workflow that the metadata describes.

    Raises:
        ValueError: uid, name or resourceVersion is empty, or the version is no number.
    """
    if not (meta.uid and meta.name and meta.namespace):
        raise ValueError("an item without uid, name or namespace")
    if not meta.resourceVersion.isdecimal():
        raise ValueError("an item whose resourceVersion is not a number")
    return LiveWorkflow(
        uid=meta.uid,
        namespace=meta.namespace,
        name=meta.name,
        resource_version=int(meta.resourceVersion),
        created_at=meta.creationTimestamp,
        deleting=meta.deletionTimestamp is not None,
        labels=meta.labels or {},
        annotations=meta.annotations or {},
        finalizers=meta.finalizers or (),
        owners=tuple(
            OwnerReference(kind=owner.kind, name=owner.name, uid=owner.uid)
            for owner in meta.ownerReferences
        )
        if meta.ownerReferences
        else (),
    )
