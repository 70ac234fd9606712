"""Objects and logs that are put in from outside, with their metadata as given."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.pod_logs import PodLogs
from argo_retention.demo.kube_api.records import Record, split_raw
from argo_retention.demo.kube_api.resources import BY_KIND, NAMESPACES, Resource
from argo_retention.demo.kube_api.store import Store
from argo_retention.demo.kube_api.writing import Identities, completed_metadata


class _Kind(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str


class Seeder:
    """Puts objects into a store that no client created."""

    def __init__(self, store: Store, clock: Clock, identities: Identities) -> None:
        self._store = store
        self._identities = identities
        #: The server's clock; missing creation times are taken from it.
        self.clock = clock

    def load_folder(self, folder: Path, logs: PodLogs) -> None:
        """Load objects.ndjson and pod_logs.ndjson, where they exist."""
        namespaces: set[str] = set()
        for line in _lines(folder / "objects.ndjson"):
            resource, fields = self._completed(line)
            namespaces.add(self._load(resource, fields).namespace)
        # No object can be in a namespace that is not there, and every cluster has this one.
        for name in sorted({*namespaces, "kube-system"} - {""}):
            if self._store.get(NAMESPACES, name) is None:
                self.put_namespace(name)
        for line in _lines(folder / "pod_logs.ndjson"):
            logs.put(msgspec.json.decode(line))

    def put_namespace(self, name: str) -> None:
        """Put a namespace as the server would have made it."""
        document = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
            "spec": {"finalizers": ["kubernetes"]},
            "status": {"phase": "Active"},
        }
        self._load(*self._completed(msgspec.json.encode(document)))

    def put(self, body: bytes) -> Record:
        """Put one object while the server runs.

        Without a resourceVersion it is a write like any other, which watches see. With one it
        appears under exactly that version, unseen by watches, and older versions are forgotten.
        """
        resource, fields = self._completed(body)
        if "resourceVersion" in fields["metadata"]:
            return self._load(resource, fields)
        return self._store.write(resource, fields)

    def _load(self, resource: Resource, fields: dict[str, Any]) -> Record:
        metadata = fields["metadata"]
        metadata.setdefault("resourceVersion", str(self._store.version + 1))
        record = Record.render(resource, fields)
        self._store.load(record)
        return record

    def _completed(self, body: bytes) -> tuple[Resource, dict[str, Any]]:
        kind = msgspec.json.decode(body, type=_Kind)
        resource = BY_KIND.get((kind.api_version, kind.kind))
        if resource is None:
            raise ValueError(f"the emulator knows no {kind.kind} of {kind.api_version}")
        fields = split_raw(body)
        namespace = fields["metadata"].get("namespace", "default")
        fields["metadata"] = completed_metadata(
            fields["metadata"],
            resource=resource,
            namespace=namespace if resource.namespaced else "",
            clock=self.clock,
            identities=self._identities,
        )
        return resource, fields


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file that may be missing, one at a time: a fleet does not fit twice."""
    if path.exists():
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
