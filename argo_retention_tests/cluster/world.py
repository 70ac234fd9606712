"""The real API server as a world of the contract suite."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.kubernetes_cluster.paths import BY_KIND, NAMESPACES, WORKFLOWS
from argo_retention_tests.cluster.server import ApiError, RealServer
from argo_retention_tests.contracts.cluster_worlds import ADMIN, API_VERSIONS, POWERLESS, World

PATHS = {**BY_KIND, "Workflow": WORKFLOWS, "Namespace": NAMESPACES}
NOW = "?gracePeriodSeconds=0"


class RealWorld(World):
    def __init__(self, server: RealServer, folder: Path) -> None:
        self._server = server
        self._added: list[str] = []  # paths of objects, to be removed
        self.cluster, self.powerless = (
            connect(
                kubeconfig=str(server.write_kubeconfig(folder / token, token=token)),
                context=None,
                name="real",
            )
            for token in (ADMIN, POWERLESS)
        )

    def close(self) -> None:
        for path in reversed(self._added):
            self._delete(path)
        for cluster in (self.cluster, self.powerless):
            cluster.close()

    def add(self, kind: str, metadata: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        namespace, name = metadata.get("namespace"), metadata["name"]
        if namespace is not None and namespace not in {n.name for n in self.cluster.namespaces()}:
            self.add("Namespace", {"name": namespace})
        document = _whole({"kind": kind, "metadata": dict(metadata), **fields})
        path = PATHS[kind].object(namespace, name)
        try:
            made: dict[str, Any] = self._server.call(
                "POST", PATHS[kind].collection(namespace), document
            )
        except ApiError as error:
            # Nobody takes a deleted namespace away here: there is no controller for it.
            if kind != "Namespace" or error.status != 409:
                raise
            return self.merge(path, {"metadata": dict(metadata)})
        if kind != "Namespace":
            self._added.append(path)
        if kind == "Pod" and "status" in fields:
            made["status"] = fields["status"]
            made = self._server.call("PUT", f"{path}/status", made)
        return made

    def relabel(self, namespace: str, name: str, labels: Mapping[str, str]) -> None:
        self.merge(WORKFLOWS.object(namespace, name), {"metadata": {"labels": dict(labels)}})

    def release(self, namespace: str, name: str) -> None:
        self.merge(WORKFLOWS.object(namespace, name), {"metadata": {"finalizers": None}})

    def remove(self, namespace: str, name: str) -> None:
        self._server.call("DELETE", WORKFLOWS.object(namespace, name))

    def log(self, namespace: str, pod: str, container: str, body: bytes) -> None:
        self._server.kubelet.logs[namespace, pod, container] = body

    def compact(self) -> None:
        raise NotImplementedError("the server's watch cache knows more than etcd")

    def _delete(self, path: str) -> None:
        try:
            self.merge(path, {"metadata": {"finalizers": None}})
            self._server.call("DELETE", path + NOW)
        except ApiError as error:
            if error.status != 404:
                raise

    def merge(self, path: str, patch: Any) -> Any:
        """A merge patch of the administrator's."""
        how = {"Content-Type": "application/merge-patch+json"}
        return self._server.call("PATCH", path, patch, **how)


def _whole(document: dict[str, Any]) -> dict[str, Any]:
    """What the server demands besides what a test is about."""
    kind = document["kind"]
    document["apiVersion"] = API_VERSIONS.get(kind, "v1")
    if kind == "Pod":
        spec = document.setdefault("spec", {})
        containers = spec.get("containers") or [{"name": "main"}]
        spec["containers"] = [{"image": "none", **container} for container in containers]
    if kind == "Deployment":
        labels = {"app": document["metadata"]["name"]}
        spec = {"containers": [{"name": "main", "image": "none"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        document["spec"] = {
            "selector": {"matchLabels": labels},
            "template": template,
            **document.get("spec", {}),
        }
    return document
