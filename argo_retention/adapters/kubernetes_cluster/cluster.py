# ruff: noqa: D102 - the contracts stand in the port.
"""The cluster port: each method is one function of its verb's module, on one transport."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from argo_retention.adapters.kubernetes_cluster import deleting, listing, pods, reading, watching
from argo_retention.adapters.kubernetes_cluster.transport import Transport
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.ports.cluster import (
    Cluster,
    DeleteTarget,
    MetadataPage,
    Namespace,
    PatchResult,
    Pod,
    Sending,
)


class KubernetesCluster(Cluster):
    """One cluster through its API server; threads may share it."""

    def __init__(self, transport: Transport) -> None:
        """`connecting.connect` makes the transport."""
        self._transport = transport

    @property
    def fingerprint(self) -> str:
        """Digest of the API server's URL: tells one server from another, and holds no secret."""
        return self._transport.fingerprint

    def list_metadata(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[MetadataPage]:
        return listing.metadata_pages(
            self._transport, selector=selector, namespace=namespace, page_size=page_size
        )

    def list_full(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[Sequence[bytes]]:
        return listing.full_pages(
            self._transport, selector=selector, namespace=namespace, page_size=page_size
        )

    def get_workflow(self, *, namespace: str, name: str) -> bytes | None:
        return reading.get_workflow(self._transport, namespace=namespace, name=name)

    def mark_archived(
        self, *, namespace: str, name: str, uid: str, resource_version: int
    ) -> PatchResult:
        return deleting.mark_archived(
            self._transport,
            namespace=namespace,
            name=name,
            uid=uid,
            resource_version=resource_version,
        )

    def delete_workflows(self, targets: Sequence[DeleteTarget], sending: Sending) -> None:
        deleting.delete_workflows(self._transport, targets, sending)

    def workflow_exists(self, *, namespace: str, name: str, uid: str) -> bool:
        return deleting.workflow_exists(self._transport, namespace=namespace, name=name, uid=uid)

    def get_pod(self, *, namespace: str, name: str) -> Pod | None:
        return pods.get_pod(self._transport, namespace=namespace, name=name)

    def pods_of(self, *, namespace: str, workflow: str) -> Sequence[Pod]:
        return pods.pods_of(self._transport, namespace=namespace, workflow=workflow)

    def open_pod_log(
        self, *, namespace: str, pod: str, container: str
    ) -> AbstractContextManager[Iterator[bytes]]:
        return pods.open_pod_log(self._transport, namespace=namespace, pod=pod, container=container)

    def namespaces(self) -> Sequence[Namespace]:
        return reading.namespaces(self._transport)

    def server_time(self) -> datetime:
        return reading.server_time(self._transport)

    def watch_metadata(
        self,
        *,
        selector: str,
        namespace: str | None,
        resource_version: str,
        seconds: int,
        quiet_seconds: float | None = None,
    ) -> Iterator[tuple[str, LiveWorkflow | None, str]]:
        return watching.watch_metadata(
            self._transport,
            selector=selector,
            namespace=namespace,
            resource_version=resource_version,
            seconds=seconds,
            quiet_seconds=quiet_seconds,
        )

    def get_object(self, *, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        return reading.get_object(self._transport, kind=kind, namespace=namespace, name=name)

    def list_objects(self, *, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        return reading.list_objects(self._transport, kind=kind, namespace=namespace)

    def allowed(self, *, verb: str, group: str, resource: str, namespace: str | None) -> bool:
        return reading.allowed(
            self._transport, verb=verb, group=group, resource=resource, namespace=namespace
        )

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._transport.close()
