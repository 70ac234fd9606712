"""Create, update and patch."""

import secrets
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.patching import json_patch, merge_patch
from argo_retention.demo.kube_api.records import Record, object_key
from argo_retention.demo.kube_api.resources import NAMESPACES, PODS, Resource
from argo_retention.demo.kube_api.statuses import (
    ApiError,
    already_exists,
    bad_request,
    invalid,
    modified,
    not_found,
)
from argo_retention.demo.kube_api.store import Store

#: The letters that Kubernetes makes generated names of: nothing that reads like a word.
_NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_MERGE = frozenset({"application/merge-patch+json", "application/strategic-merge-patch+json"})


class Identities:
    """Where uids and the ends of generated names come from; a replay gives recorded ones."""

    def uid(self) -> str:
        """A uid that nothing else has."""
        return str(uuid.uuid4())

    def suffix(self) -> str:
        """The end of a generated name."""
        return "".join(secrets.choice(_NAME_LETTERS) for _ in range(5))


def completed_metadata(
    metadata: Mapping[str, Any],
    *,
    resource: Resource,
    namespace: str,
    clock: Clock,
    identities: Identities,
) -> dict[str, Any]:
    """Metadata with what the server fills in where it is missing."""
    completed: dict[str, Any] = {
        **({"generation": 1} if resource.has_generation else {}),
        "creationTimestamp": clock.timestamp(),
        **metadata,
    }
    if "uid" not in completed:
        completed["uid"] = identities.uid()
    if "name" not in completed and completed.get("generateName"):
        completed["name"] = f"{completed['generateName']}{identities.suffix()}"
    if namespace:
        completed["namespace"] = namespace
    return completed


class Writer:
    """Writes objects into a store as the server's handlers do."""

    def __init__(self, store: Store, clock: Clock, identities: Identities) -> None:
        self._store = store
        self._clock = clock
        self._identities = identities

    def create(self, resource: Resource, namespace: str, body: bytes, *, dry_run: bool) -> bytes:
        """Create an object; the answer is the object."""
        document = _object(resource, body)
        given = document.get("metadata") or {}
        if given.get("namespace", namespace) != namespace and resource.namespaced:
            raise bad_request(
                "the namespace of the provided object does not match the namespace sent on the "
                "request"
            )
        if resource.namespaced and self._store.get(NAMESPACES, namespace) is None:
            message = f'namespaces "{namespace}" not found'
            details = {"name": namespace, "kind": "namespaces"}
            raise ApiError(404, "NotFound", message, details=details)
        if given.get("name"):
            key = object_key(namespace, given["name"])
            if self._store.get(resource, key) is not None:
                raise already_exists(resource, given["name"])
        elif not given.get("generateName"):
            why = "Required value: name or generateName is required"
            kind = resource.qualified_kind
            raise invalid(kind, "", "metadata.name", why, value_kind="FieldValueRequired")
        owned_by_server = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp"}
        metadata = completed_metadata(
            {k: v for k, v in given.items() if k not in owned_by_server},
            resource=resource,
            namespace=namespace,
            clock=self._clock,
            identities=self._identities,
        )
        document["metadata"] = metadata
        _default(resource, document)
        if dry_run:
            metadata["resourceVersion"] = "0"
            return Record.render(resource, document).full
        return self._store.write(resource, document).full

    def update(self, record: Record, body: bytes, *, dry_run: bool) -> bytes:
        """Replace an object by the one in the body."""
        return self._replace(record, _object(record.resource, body), dry_run=dry_run)

    def patch(self, record: Record, content_type: str, body: bytes, *, dry_run: bool) -> bytes:
        """Apply a merge patch or a JSON patch to an object."""
        patch = _decoded(body)
        if content_type == "application/json-patch+json":
            document = json_patch(record.document(), patch)
        elif content_type in _MERGE and not (
            record.resource.is_custom and content_type.startswith("application/strategic")
        ):
            # Strategic merging differs for lists only, which nobody here patches.
            document = merge_patch(record.document(), patch)
        else:
            message = (
                "the body of the request was in an unknown format - accepted media types "
                "include: application/json-patch+json, application/merge-patch+json"
            )
            raise ApiError(415, "UnsupportedMediaType", message, details={})
        return self._replace(record, document, dry_run=dry_run)

    def _replace(self, record: Record, document: dict[str, Any], *, dry_run: bool) -> bytes:
        metadata = document["metadata"]
        before = record.document()
        version = metadata.get("resourceVersion") or str(record.version)
        if version != str(record.version):
            raise modified(record.resource, record.name)
        if metadata.get("uid", record.uid) != record.uid:
            why = (
                f"Precondition failed: UID in precondition: {metadata['uid']}, "
                f"UID in object meta: {record.uid}"
            )
            message = (
                f'Operation cannot be fulfilled on {record.resource.qualified} "{record.name}": '
            )
            raise ApiError(409, "Conflict", message + why, details={"name": record.name})
        if metadata.get("name", record.name) != record.name:
            raise bad_request("the name of the object does not match the name on the URL")
        # What no client may change keeps its value.
        kept = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
        for field in kept:
            metadata.pop(field, None)
            if field in before["metadata"]:
                metadata[field] = before["metadata"][field]
        metadata["resourceVersion"] = str(record.version)
        if "generation" in before["metadata"]:
            metadata["generation"] = before["metadata"]["generation"]
        if document == before:
            return record.full
        if record.resource.has_generation and {**document, "metadata": None} != {
            **before,
            "metadata": None,
        }:
            metadata["generation"] = metadata.get("generation", 1) + 1
        if dry_run:
            return Record.render(record.resource, document).full
        written = self._store.write(record.resource, document)
        if written.is_deleting and not written.finalizers:
            self._store.remove(written)
        return written.full


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad_request(f"error decoding the body: {error}") from error


def _object(resource: Resource, body: bytes) -> dict[str, Any]:
    document = _decoded(body)
    if not isinstance(document, dict) or document.get("kind", resource.kind) != resource.kind:
        raise bad_request(f"the object provided is unrecognized (must be of type {resource.kind})")
    return document


def _default(resource: Resource, document: dict[str, Any]) -> None:
    """The few defaults that somebody looks at; admission fills in many more."""
    if resource is NAMESPACES:
        labels = document["metadata"].setdefault("labels", {})
        labels.setdefault("kubernetes.io/metadata.name", document["metadata"]["name"])
        document["spec"] = {"finalizers": ["kubernetes"]}
        document["status"] = {"phase": "Active"}
    elif resource is PODS:
        # A pod's status is the kubelet's to write, whatever a client sends.
        document["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def existing(store: Store, resource: Resource, namespace: str, name: str) -> Record:
    """The object of a name.

    Raises:
        ApiError: 404 when it is not there.
    """
    record = store.get(resource, object_key(namespace, name))
    if record is None:
        raise not_found(resource, name)
    return record
