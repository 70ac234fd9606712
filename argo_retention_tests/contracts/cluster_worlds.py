"""The clusters that the contract suite runs on: the fake, and the emulated API through the real adapter."""

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import urllib3

from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.core.ports.cluster import Cluster
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention_tests.fakes.cluster import RESOURCES, FakeCluster

NS = "team-a"
CREATED = "2026-01-02T03:04:05Z"
ADMIN, POWERLESS = "admin-token", "powerless-token"
API_VERSIONS = {
    "Workflow": "argoproj.io/v1alpha1",
    "CronWorkflow": "argoproj.io/v1alpha1",
    "WorkflowTemplate": "argoproj.io/v1alpha1",
    "Deployment": "apps/v1",
}


class World(ABC):
    """A cluster, and what other people do to it."""

    cluster: Cluster
    powerless: Cluster  # the same one, for somebody who may do nothing

    @abstractmethod
    def add(self, kind: str, metadata: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        """Put in an object; it comes back as it is stored."""

    @abstractmethod
    def relabel(self, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        """Change labels of a workflow."""

    @abstractmethod
    def release(self, namespace: str, name: str) -> None:
        """Take the finalizers off a workflow."""

    @abstractmethod
    def remove(self, namespace: str, name: str) -> None:
        """Delete a workflow that has no finalizer."""

    @abstractmethod
    def log(self, namespace: str, pod: str, container: str, body: bytes) -> None:
        """Give a container a log."""

    @abstractmethod
    def compact(self) -> None:
        """Forget older versions."""


class FakeWorld(World):
    def __init__(self) -> None:
        self.cluster = self._fake = FakeCluster()
        powerless = FakeCluster()
        for plural in (*RESOURCES.values(), "pods/log"):
            powerless.deny("*", plural)
        self.powerless = powerless

    def add(self, kind: str, metadata: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        return self._fake.add({"kind": kind, "metadata": dict(metadata), **fields})

    def relabel(self, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._fake.change(
            "Workflow", namespace, name, lambda it: it["metadata"].update(labels=dict(labels))
        )

    def release(self, namespace: str, name: str) -> None:
        self._fake.change("Workflow", namespace, name, lambda it: it["metadata"].pop("finalizers"))

    def remove(self, namespace: str, name: str) -> None:
        self._fake.remove("Workflow", namespace, name)

    def log(self, namespace: str, pod: str, container: str, body: bytes) -> None:
        self._fake.add_pod_log(namespace=namespace, pod=pod, container=container, body=body)

    def compact(self) -> None:
        self._fake.compact()


class EmulatorWorld(World):
    def __init__(self, process: KubeApiProcess, folder: Path) -> None:
        self._url = process.url
        self._http = urllib3.PoolManager(headers={"Authorization": f"Bearer {ADMIN}"})
        self.cluster, self.powerless = (
            connect(
                kubeconfig=str(
                    write_kubeconfig(
                        folder / token, url=process.url, token=token, cluster="emulated"
                    )
                ),
                context=None,
                name="emulated",
            )
            for token in (ADMIN, POWERLESS)
        )

    def close(self) -> None:
        self._http.clear()
        for cluster in (self.cluster, self.powerless):
            cluster.close()

    def call(self, method: str, path: str, document: Any = None, **headers: str) -> Any:
        answer = self._http.request(
            method,
            self._url + path,
            body=None if document is None else json.dumps(document),
            headers={**self._http.headers, **headers},
        )
        assert answer.status < 300, answer.data
        return json.loads(answer.data)

    def add(self, kind: str, metadata: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        namespace = metadata.get("namespace")
        if namespace is not None:
            self._ensure_namespace(namespace)
        document = {
            "apiVersion": API_VERSIONS.get(kind, "v1"),
            "kind": kind,
            "metadata": dict(metadata),
            **fields,
        }
        added: dict[str, Any] = self.call("POST", "/emulator/objects", document)
        return added

    def _ensure_namespace(self, name: str) -> None:
        if name not in {found.name for found in self.cluster.namespaces()}:
            self.add("Namespace", {"name": name})

    def relabel(self, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self._patch(namespace, name, {"labels": dict(labels)})

    def release(self, namespace: str, name: str) -> None:
        self._patch(namespace, name, {"finalizers": None})

    def remove(self, namespace: str, name: str) -> None:
        self.call("DELETE", self._path(namespace, name))

    def log(self, namespace: str, pod: str, container: str, body: bytes) -> None:
        self.call(
            "POST",
            "/emulator/pod_logs",
            {
                "namespace": namespace,
                "pod": pod,
                "container": container,
                "body_base64": base64.b64encode(body).decode(),
            },
        )

    def compact(self) -> None:
        self.call("POST", "/emulator/compact")

    def _patch(self, namespace: str, name: str, metadata: Mapping[str, Any]) -> None:
        self.call(
            "PATCH",
            self._path(namespace, name),
            {"metadata": dict(metadata)},
            **{"Content-Type": "application/merge-patch+json"},
        )

    def _path(self, namespace: str, name: str) -> str:
        return f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{name}"


def write_state(folder: Path) -> None:
    """An empty cluster and its two users."""
    access = {
        "tokens": {
            ADMIN: {"user": "admin", "admin": True},
            POWERLESS: {"user": "nobody", "rules": []},
        }
    }
    (folder / "access.json").write_text(json.dumps(access))


def workflow(world: World, name: str, **metadata: Any) -> dict[str, Any]:
    given = {"name": name, "namespace": NS, "creationTimestamp": CREATED, **metadata}
    return world.add("Workflow", given, spec={"entrypoint": "wählen"}, status={"phase": "Failed"})
