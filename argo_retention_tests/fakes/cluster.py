"""A cluster in memory, with resourceVersions, finalizers and cascade, and faults and hooks that a test sets."""

import copy
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from argo_retention.core import labels
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.ports.cluster import (
    Cluster,
    DeleteOutcome,
    DeleteResult,
    DeleteTarget,
    MetadataPage,
    Namespace,
    PatchOutcome,
    PatchResult,
    Pod,
    Sending,
)
from argo_retention.core.selectors import LabelSelector
from argo_retention.errors import (
    ClusterError,
    ClusterForbiddenError,
    ListIncompleteError,
    PodLogGoneError,
    WatchExpiredError,
)
from argo_retention_tests.fakes import cluster_objects
from argo_retention_tests.fakes.cluster_objects import Manifest, Objects, is_version
from argo_retention_tests.fakes.faults import Faulty

CHUNK = 64 * 1024
#: Plural of each kind, as rights name it.
RESOURCES = {
    "Workflow": "workflows",
    "CronWorkflow": "cronworkflows",
    "WorkflowTemplate": "workflowtemplates",
    "Deployment": "deployments",
    "ConfigMap": "configmaps",
    "Secret": "secrets",
    "Pod": "pods",
    "Namespace": "namespaces",
}


class FakeCluster(Faulty, Cluster):
    """Behaves as the API server does; `argo_retention_tests/contracts/test_cluster.py` holds it to that."""

    def __init__(self, *, now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)) -> None:
        super().__init__()
        self.now = now
        self.watch_bookmarks = True  # a watch that is ended by its silence has had none
        self._objects = Objects()
        self._logs: dict[tuple[str, str, str], tuple[bytes, int | None]] = {}
        self._denied: list[tuple[str, str, str | None]] = []
        # Operations call from many threads.
        self._lock = threading.RLock()
        anchor = {"name": "kube-system", "uid": "kube-system-uid", "resourceVersion": "1"}
        self._objects.add({"kind": "Namespace", "metadata": anchor}, self._stamp())

    # -- what a test puts in -----------------------------------------------------------------------

    def add(self, manifest: Mapping[str, Any]) -> Manifest:
        """Put in an object of any kind (Workflow unless it says), and give it back, metadata filled in.

        uid, resourceVersion and creationTimestamp are made unless given; its namespace is made with it.
        """
        with self._lock:
            return copy.deepcopy(self._objects.add(manifest, self._stamp()))

    def add_workflow(
        self,
        name: str,
        *,
        namespace: str = "demo",
        phase: str | None = "Succeeded",
        metadata: Mapping[str, Any] | None = None,
        spec: Mapping[str, Any] | None = None,
        status: Mapping[str, Any] | None = None,
    ) -> LiveWorkflow:
        """Put in a workflow, finished in `phase` (None: it runs), and give back its metadata."""
        given = dict(metadata or {})
        shown = {labels.PHASE: phase or "Running"} | ({labels.COMPLETED: "true"} if phase else {})
        stamp = self._stamp()
        made = self.add(
            {
                "kind": "Workflow",
                "metadata": {
                    **given,
                    "name": name,
                    "namespace": namespace,
                    "labels": shown | given.get("labels", {}),
                },
                "spec": dict(spec or {}),
                "status": {
                    "phase": phase or "Running",
                    "startedAt": stamp,
                    "finishedAt": stamp if phase else None,
                    **(status or {}),
                },
            }
        )
        return cluster_objects.live_workflow(made)

    def add_pod_log(
        self,
        *,
        namespace: str,
        pod: str,
        body: bytes,
        container: str = "main",
        cut_after: int | None = None,
    ) -> None:
        """The log of a container; `cut_after` breaks the stream after so many bytes."""
        self._logs[namespace, pod, container] = (body, cut_after)

    def change(
        self, kind: str, namespace: str, name: str, change: Callable[[Manifest], object]
    ) -> Manifest:
        """Somebody else changes an object in place; it gets a new resourceVersion."""
        with self._lock:
            changed = self._objects.change(self._there(kind, namespace, name), change)
            return copy.deepcopy(changed)

    def remove(self, kind: str, namespace: str, name: str) -> None:
        """Somebody else deletes an object for good, finalizers or not; what it owns goes too."""
        with self._lock:
            self._objects.drop(self._there(kind, namespace, name))

    def compact(self) -> None:
        """Forget older versions: a watch from one of them is too old."""
        self._objects.compacted = self._objects.version
        self._objects.history.clear()

    def deny(self, verb: str, resource: str, *, namespace: str | None = None) -> None:
        """Take away a right ("*" is every verb), in one namespace or everywhere."""
        self._denied.append((verb, resource, namespace))

    def workflows(self) -> list[LiveWorkflow]:
        """What is there now, for a test to look at."""
        with self._lock:
            return [
                cluster_objects.live_workflow(it)
                for it in self._objects.select("Workflow", None, "")
            ]

    # -- the port ----------------------------------------------------------------------------------

    def list_metadata(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[MetadataPage]:
        arguments = {"selector": selector, "namespace": namespace, "page_size": page_size}
        for page, version, remaining in self._pages("list_metadata", arguments):
            try:
                workflows = [cluster_objects.live_workflow(found) for found in page]
            except (KeyError, ValueError) as error:
                raise ListIncompleteError(f"an item without {error}") from error
            yield MetadataPage(
                workflows=workflows,
                resource_version=version,
                remaining=remaining if remaining and not selector else None,
            )

    def list_full(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[Sequence[bytes]]:
        arguments = {"selector": selector, "namespace": namespace, "page_size": page_size}
        for page, _, _ in self._pages("list_full", arguments):
            yield [cluster_objects.as_bytes(found) for found in page]

    def get_workflow(self, *, namespace: str, name: str) -> bytes | None:
        with self._called("get_workflow", "get", "Workflow", namespace=namespace, name=name):
            found = self._objects.get("Workflow", namespace, name)
            return None if found is None else cluster_objects.as_bytes(found)

    def mark_archived(
        self, *, namespace: str, name: str, uid: str, resource_version: int
    ) -> PatchResult:
        with self._called(
            "mark_archived",
            "patch",
            "Workflow",
            namespace=namespace,
            name=name,
            uid=uid,
            resource_version=resource_version,
        ):
            found = self._objects.get("Workflow", namespace, name)
            if found is None:
                return PatchResult(outcome=PatchOutcome.GONE)
            if not is_version(found, uid, resource_version):
                return PatchResult(outcome=PatchOutcome.CHANGED)
            if found["metadata"].get("labels", {}).get(labels.ARCHIVING_STATUS) == "Archived":
                return PatchResult(outcome=PatchOutcome.PATCHED, resource_version=resource_version)
            self._objects.change(found, _label_archived)
            return PatchResult(outcome=PatchOutcome.PATCHED, resource_version=self._objects.version)

    def delete_workflow(  # not of the port: one of its targets
        self, *, namespace: str, name: str, uid: str, resource_version: int
    ) -> DeleteOutcome:
        with self._called(
            "delete_workflow",
            "delete",
            "Workflow",
            namespace=namespace,
            name=name,
            uid=uid,
            resource_version=resource_version,
        ):
            found = self._objects.get("Workflow", namespace, name)
            if found is None:
                return DeleteOutcome.GONE
            if not is_version(found, uid, resource_version):
                return DeleteOutcome.CHANGED
            return self._objects.delete(found, self._stamp())

    def delete_workflows(self, targets: Sequence[DeleteTarget], sending: Sending) -> None:
        for place, target in enumerate(targets):
            turn = time.monotonic() + sending.turn()
            while not sending.is_stopped() and time.monotonic() < turn:
                time.sleep(0.01)
            if sending.is_stopped():
                return
            result: DeleteResult
            try:
                result = self.delete_workflow(
                    namespace=target.namespace,
                    name=target.name,
                    uid=target.uid,
                    resource_version=target.resource_version,
                )
            except ClusterError as error:
                result = error
            sending.report(place, result)

    def workflow_exists(self, *, namespace: str, name: str, uid: str) -> bool:
        with self._called(
            "workflow_exists", "get", "Workflow", namespace=namespace, name=name, uid=uid
        ):
            found = self._objects.get("Workflow", namespace, name)
            return found is not None and found["metadata"]["uid"] == uid

    def get_pod(self, *, namespace: str, name: str) -> Pod | None:
        with self._called("get_pod", "get", "Pod", namespace=namespace, name=name):
            found = self._objects.get("Pod", namespace, name)
            return None if found is None else cluster_objects.pod(found)

    def pods_of(self, *, namespace: str, workflow: str) -> Sequence[Pod]:
        with self._called("pods_of", "list", "Pod", namespace=namespace, workflow=workflow):
            selector = f"{labels.WORKFLOW}={workflow}"
            found = self._objects.select("Pod", namespace, selector)
            return [cluster_objects.pod(each) for each in found]

    @contextmanager
    def open_pod_log(
        self, *, namespace: str, pod: str, container: str
    ) -> Iterator[Iterator[bytes]]:
        arguments = {"namespace": namespace, "pod": pod, "container": container}
        with self._called("open_pod_log", "get", "Pod", subresource="/log", **arguments):
            found = self._objects.get("Pod", namespace, pod)
            if found is None:
                raise PodLogGoneError(f"there is no pod {pod}")
            spec = found.get("spec", {})
            names = {entry["name"] for entry in spec.get("containers", ())}
            if names and container not in names:
                raise ClusterError(f"container {container} is not valid for pod {pod}")
            log = self._logs.get((namespace, pod, container))
            if log is None and "nodeName" not in spec:
                raise ClusterError(f"pod {pod} is not scheduled")
        yield self._chunks(*(log or (b"", None)), arguments)

    def namespaces(self) -> Sequence[Namespace]:
        with self._called("namespaces", "list", "Namespace"):
            return [
                Namespace(
                    name=meta["name"],
                    annotations=dict(meta.get("annotations", {})),
                    uid=meta["uid"],
                )
                for meta in (
                    found["metadata"] for found in self._objects.select("Namespace", None, "")
                )
            ]

    def server_time(self) -> datetime:
        with self._called("server_time", "get", "/version"):
            return self.now.replace(microsecond=0)

    def watch_metadata(
        self,
        *,
        selector: str,
        namespace: str | None,
        resource_version: str,
        seconds: int,
        quiet_seconds: float | None = None,
    ) -> Iterator[tuple[str, LiveWorkflow | None, str]]:
        arguments: dict[str, Any] = {
            "selector": selector,
            "namespace": namespace,
            "resource_version": resource_version,
            "seconds": seconds,
            "quiet_seconds": quiet_seconds,
        }
        with self._called("watch_metadata", "watch", "Workflow", **arguments):
            since = int(resource_version)
            if since < self._objects.compacted:
                raise WatchExpiredError(
                    f"too old resource version: {since} ({self._objects.compacted})"
                )
            changes = [change for change in self._objects.history if change.version > since]
            version = self._objects.version
        wanted = LabelSelector.parse(selector)
        sent = 0
        for change in changes:
            event = cluster_objects.watch_event(change, wanted, namespace)
            if event is not None:
                self._meet("watch_metadata", arguments, after=sent)
                sent += 1
                yield event
        if self.watch_bookmarks:
            yield "BOOKMARK", None, str(version)

    def get_object(self, *, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        with self._called("get_object", "get", kind, namespace=namespace, name=name):
            found = self._objects.get(kind, namespace, name)
            return copy.deepcopy(found)

    def list_objects(self, *, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        with self._called("list_objects", "list", kind, namespace=namespace):
            return self._objects.select(kind, namespace, "")

    def allowed(self, *, verb: str, group: str, resource: str, namespace: str | None) -> bool:
        arguments = {"verb": verb, "group": group, "resource": resource, "namespace": namespace}
        self._meet("allowed", arguments)
        return not self._is_denied(verb, resource, namespace)

    # -- inside ------------------------------------------------------------------------------------

    def _pages(
        self, method: str, arguments: Mapping[str, Any]
    ) -> Iterator[tuple[list[Manifest], str, int]]:
        namespace = arguments["namespace"]
        with self._called(method, "list", "Workflow", **arguments):
            if namespace is not None and self._objects.get("Namespace", "", namespace) is None:
                raise ListIncompleteError(f"there is no namespace {namespace}")
            found = self._objects.select("Workflow", namespace, arguments["selector"])
            version = str(self._objects.version)
        size = arguments["page_size"]
        for number, start in enumerate(range(0, max(len(found), 1), size)):
            if number:
                self._meet(method, arguments, after=number)
            yield found[start : start + size], version, max(len(found) - start - size, 0)

    def _chunks(
        self, body: bytes, cut_after: int | None, arguments: Mapping[str, Any]
    ) -> Iterator[bytes]:
        whole = body if cut_after is None else body[:cut_after]
        for number, start in enumerate(range(0, len(whole), CHUNK)):
            if number:
                self._meet("open_pod_log", arguments, after=number)
            yield whole[start : start + CHUNK]
        if cut_after is not None:
            raise ClusterError("the connection was cut")

    @contextmanager
    def _called(
        self, method: str, verb: str, kind: str, *, subresource: str = "", **arguments: Any
    ) -> Iterator[None]:
        self._meet(method, arguments)
        resource = RESOURCES.get(kind, kind) + subresource
        if self._is_denied(verb, resource, arguments.get("namespace")):
            raise ClusterForbiddenError(f"may not {verb} {resource}")
        with self._lock:
            yield

    def _is_denied(self, verb: str, resource: str, namespace: str | None) -> bool:
        return any(
            denied_verb in ("*", verb) and denied == resource and where in (None, namespace)
            for denied_verb, denied, where in self._denied
        )

    def _there(self, kind: str, namespace: str, name: str) -> Manifest:
        found = self._objects.get(kind, namespace, name)
        if found is None:
            raise KeyError(f"{kind} {namespace}/{name}")
        return found

    def _stamp(self) -> str:
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _label_archived(manifest: Manifest) -> None:
    manifest["metadata"].setdefault("labels", {})[labels.ARCHIVING_STATUS] = "Archived"
