"""One version of one object, rendered once to the bytes that answers are joined from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from argo_retention.demo.kube_api.resources import PODS, Resource

#: Parts of an object that are not looked into stay the bytes they came as.
_raw_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _Phase(msgspec.Struct):
    phase: str = ""


class _PartialObject(msgspec.Struct):
    metadata: dict[str, Any]


def object_key(namespace: str, name: str) -> str:
    """The place of an object in the order of lists, as in the server's own store."""
    return f"{namespace}/{name}" if namespace else name


def split_raw(body: bytes) -> dict[str, Any]:
    """The top-level fields of an object as bytes, but for metadata, which is decoded."""
    fields: dict[str, Any] = dict(_raw_decoder.decode(body))
    fields["metadata"] = msgspec.json.decode(fields.get("metadata", b"{}"))
    return fields


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """An object as it is at one resourceVersion."""

    resource: Resource
    namespace: str
    name: str
    uid: str
    version: int
    labels: Mapping[str, str]
    #: The uids of its ownerReferences.
    owners: tuple[str, ...]
    finalizers: tuple[str, ...]
    is_deleting: bool
    #: status.phase, where the kind can be selected by it.
    phase: str
    #: As an item of a list: kinds of the server's own come without apiVersion and kind there.
    body: bytes
    #: As PartialObjectMetadata.
    partial: bytes

    @classmethod
    def render(cls, resource: Resource, fields: Mapping[str, Any]) -> "Record":
        """Render an object whose metadata is complete; other fields may be raw bytes."""
        metadata = fields["metadata"]
        rest = {k: v for k, v in fields.items() if k not in {"apiVersion", "kind", "metadata"}}
        head: dict[str, Any] = {}
        if resource.is_custom:
            head = {"apiVersion": resource.api_version, "kind": resource.kind}
        phase = ""
        if resource is PODS and "status" in rest:
            phase = msgspec.convert(_plain(rest["status"]), _Phase).phase
        return cls(
            resource=resource,
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            labels=metadata.get("labels") or {},
            owners=tuple(owner["uid"] for owner in metadata.get("ownerReferences") or ()),
            finalizers=tuple(metadata.get("finalizers") or ()),
            is_deleting="deletionTimestamp" in metadata,
            phase=phase,
            body=msgspec.json.encode({**head, "metadata": metadata, **rest}),
            partial=msgspec.json.encode(
                {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": metadata,
                }
            ),
        )

    @property
    def key(self) -> str:
        """The place of the object in the order of lists."""
        return object_key(self.namespace, self.name)

    @property
    def full(self) -> bytes:
        """The object as the answer to a GET."""
        if self.resource.is_custom:
            return self.body
        head = f'{{"kind":"{self.resource.kind}","apiVersion":"{self.resource.api_version}",'
        return head.encode() + self.body[1:]

    @property
    def fields(self) -> Mapping[str, str]:
        """What field selectors may name."""
        return {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "status.phase": self.phase,
        }

    def metadata(self) -> dict[str, Any]:
        """A fresh copy of the metadata."""
        return msgspec.json.decode(self.partial, type=_PartialObject).metadata

    def raw_fields(self) -> dict[str, Any]:
        """A fresh copy of the object, with everything but metadata as bytes."""
        return split_raw(self.body)

    def document(self) -> dict[str, Any]:
        """A fresh copy of the whole object, decoded."""
        decoded: dict[str, Any] = msgspec.json.decode(self.full)
        return decoded

    def at_version(self, version: int) -> "Record":
        """The same object under another version, as the event of a deletion shows it."""
        fields = self.raw_fields()
        fields["metadata"]["resourceVersion"] = str(version)
        return Record.render(self.resource, fields)


def _plain(value: Any) -> Any:
    return msgspec.json.decode(value) if isinstance(value, msgspec.Raw) else value
