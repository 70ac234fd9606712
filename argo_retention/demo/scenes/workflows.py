"""Workflows as Argo's controller leaves them: spec, nodes, labels, managedFields, and their pods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from argo_retention.core import labels as names
from argo_retention.core.pod_names import fnv1a_32
from argo_retention.demo.scenes.building import Log, Run, SceneBuilder, stamp, uid_of
from argo_retention.demo.scenes.pods import pod_document
from argo_retention.demo.scenes.scene import Document
from argo_retention.demo.scenes.tasks import Task

_FIELDS: Document = {
    "f:phase": {},
    "f:startedAt": {},
    "f:finishedAt": {},
    "f:nodes": {},
    "f:progress": {},
}


class Shape(StrEnum):
    """How the tasks of a workflow are put together."""

    POD = "Pod"  #: the entrypoint is the container
    STEPS = "Steps"  #: one after the other
    DAG = "DAG"  #: the first, then all others at the same time, then the last


@dataclass(frozen=True, kw_only=True, slots=True)
class Maker:
    """Makes the workflows of one installation."""

    stage: SceneBuilder
    repository: Document  # what Argo resolves for every workflow: archiveLogs, s3
    creator: str = "system-serviceaccount-argo-argo-workflows-server"

    def make(
        self,
        *,
        namespace: str,
        name: str,
        created: datetime,
        tasks: Sequence[Task],
        shape: Shape = Shape.POD,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        spec: Mapping[str, Any] | None = None,
        generate_name: str = "",
        salt: str = "",
        archiving: str = "",
    ) -> Run:
        """One workflow with its pods and logs.

        Args:
            namespace: Where it is.
            name: Its name.
            created: When it was created and started.
            tasks: Its pods.
            shape: How they are put together.
            labels: Labels that the user gave.
            annotations: Annotations that the user gave.
            spec: Keys of the spec beside entrypoint and templates.
            generate_name: metadata.generateName.
            salt: Tells apart two workflows of one name, which have different uids.
            archiving: The label that says how far archiving has come.
        """
        status = _Status(stage=self.stage, name=name, tasks=tasks, shape=shape, created=created)
        status.add_nodes()
        finished = status.phase != "Running"
        uid = uid_of(self.stage.name, "Workflow", namespace, name, salt)
        marks = {names.PHASE: status.phase}
        if finished:
            marks[names.COMPLETED] = "true"
        if archiving:
            marks[names.ARCHIVING_STATUS] = archiving
        metadata: Document = {
            "annotations": {**(annotations or {}), names.POD_NAME_FORMAT: "v2"},
            "creationTimestamp": stamp(created),
            "generation": 3 + len(status.nodes),
            "labels": {**(labels or {}), names.CREATOR: self.creator, **marks},
            "managedFields": _managed_fields(created, status.moment, marks),
            "name": name,
            "namespace": namespace,
            "resourceVersion": self.stage.next_version(),
            "uid": uid,
        }
        if generate_name:
            metadata["generateName"] = generate_name
        document: Document = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": metadata,
            "spec": {"arguments": {}, **status.spec(), **(spec or {})},
            "status": status.document(self.repository),
        }
        owner = {"name": name, "uid": uid, "namespace": namespace}
        bucket = self.repository["s3"]["bucket"]
        run = Run(workflow=document, pods=[], logs=[])
        for planned in status.pods:
            run.pods.append(
                pod_document(
                    self.stage, owner=owner, task=planned.task, node=planned.node, name=planned.name
                )
            )
            run.logs.append(
                Log(
                    pod=planned.name,
                    container="main",
                    node_id=planned.node["id"],
                    body=planned.task.log.encode(),
                    bucket=bucket,
                    key=f"{name}/{planned.name}/main.log",
                )
            )
        return run


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pod:
    task: Task
    node: Document
    name: str


@dataclass(kw_only=True, slots=True)
class _Status:
    """The node graph, as the controller builds it while time goes on."""

    stage: SceneBuilder
    name: str
    tasks: Sequence[Task]
    shape: Shape
    created: datetime
    nodes: Document = field(default_factory=dict)
    pods: list[_Pod] = field(default_factory=list)
    moment: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.moment = self.created

    @property
    def phase(self) -> str:
        """The workflow's phase: the worst of its tasks."""
        phases = {task.phase for task in self.tasks}
        return next((p for p in ("Running", "Error", "Failed") if p in phases), "Succeeded")

    def add_nodes(self) -> None:
        """All nodes, from the root on."""
        if self.shape is Shape.POD:
            [task] = self.tasks
            self._task(task, self.name, self.created, boundary="")
            return
        root = self._node(self.name, self.shape.value, "main", self.created, boundary="")
        if self.shape is Shape.STEPS:
            self._steps(root)
        else:
            self._dag(root)
        self._finish(root, self.phase)

    def _steps(self, root: Document) -> None:
        previous = root
        for index, task in enumerate(self.tasks):
            group = self._node(
                f"{self.name}[{index}]", "StepGroup", "", self.moment, boundary=root["id"]
            )
            group["nodeFlag"] = {}
            previous.setdefault("children", []).append(group["id"])
            child = self._task(
                task, f"{group['name']}.{task.name}", self.moment, boundary=root["id"]
            )
            group["children"] = [child["id"]]
            self._finish(group, task.phase)
            previous = child
        root["outboundNodes"] = [previous["id"]]

    def _dag(self, root: Document) -> None:
        first, *middle = self.tasks
        last = middle.pop() if len(middle) > 1 else None
        start = self._task(first, f"{self.name}.{first.name}", self.created, boundary=root["id"])
        root["children"] = [start["id"]]
        begun, ends = self.moment, [self.moment]
        children = []
        for task in middle:
            children.append(
                self._task(task, f"{self.name}.{task.name}", begun, boundary=root["id"])
            )
            ends.append(self.moment)
        start["children"] = [child["id"] for child in children]
        self.moment = max(ends)
        outbound = children or [start]
        if last is not None:
            end = self._task(last, f"{self.name}.{last.name}", self.moment, boundary=root["id"])
            for child in children:
                child.setdefault("children", []).append(end["id"])
            outbound = [end]
        root["outboundNodes"] = [node["id"] for node in outbound]

    def _task(self, task: Task, name: str, begun: datetime, *, boundary: str) -> Document:
        self.moment = begun
        if not task.failed_attempts:
            return self._pod(task, name, task.phase, boundary=boundary)
        retry = self._node(name, "Retry", task.template, begun, boundary=boundary)
        retry["children"] = []
        for attempt in range(task.failed_attempts + 1):
            is_last = attempt == task.failed_attempts
            phase = task.phase if is_last else "Failed"
            node = self._pod(task, f"{name}({attempt})", phase, boundary=boundary)
            node["nodeFlag"] = {"retried": True}
            retry["children"].append(node["id"])
        self._finish(retry, task.phase)
        return retry

    def _pod(self, task: Task, name: str, phase: str, *, boundary: str) -> Document:
        node = self._node(name, "Pod", task.template, self.moment, boundary=boundary)
        node["hostNodeName"] = f"node-{fnv1a_32(node['id'].encode()) % 7}"
        if phase != "Running":
            self.moment += timedelta(seconds=task.seconds)
            failed = phase != "Succeeded"
            node["outputs"] = {"exitCode": "1" if failed else "0"}
            node["taskResultSynced"] = True
            if failed:
                node["message"] = task.message or "main: Error (exit code 1)"
        self._finish(node, phase)
        self.pods.append(_Pod(task=task, node=node, name=self._pod_name(node, task)))
        return node

    def _pod_name(self, node: Document, task: Task) -> str:
        if node["name"] == self.name:
            return self.name
        return f"{self.name}-{task.template}-{node['id'].rpartition('-')[2]}"

    def _node(
        self, name: str, kind: str, template: str, begun: datetime, *, boundary: str
    ) -> Document:
        own = f"{self.name}-{fnv1a_32(name.encode())}" if name != self.name else name
        node: Document = {
            "displayName": name.removeprefix(self.name).rpartition(".")[2] or name,
            "id": own,
            "name": name,
            "phase": "Running",
            "progress": "0/1",
            "startedAt": stamp(begun),
            "templateScope": f"local/{self.name}",
            "type": kind,
        }
        if template:
            node["templateName"] = template
        if boundary:
            node["boundaryID"] = boundary
        self.nodes[own] = node
        return node

    def _finish(self, node: Document, phase: str) -> None:
        node["phase"] = phase
        if phase == "Running":
            return
        node["finishedAt"] = stamp(self.moment)
        node["progress"] = "1/1" if phase == "Succeeded" else "0/1"
        seconds = int((self.moment - self.created).total_seconds())
        node["resourcesDuration"] = {"cpu": seconds // 2, "memory": seconds}

    def document(self, repository: Document) -> Document:
        """The whole status."""
        running = self.phase == "Running"
        done = sum(1 for pod in self.pods if pod.node["phase"] == "Succeeded")
        conditions = [{"status": str(running), "type": "PodRunning"}]
        status: Document = {
            "artifactGCStatus": {"notSpecified": True},
            "artifactRepositoryRef": {"artifactRepository": repository, "default": True},
            "conditions": conditions,
            "nodes": self.nodes,
            "phase": self.phase,
            "progress": f"{done}/{len(self.pods)}",
            "startedAt": stamp(self.created),
        }
        if not running:
            conditions.append({"status": "True", "type": "Completed"})
            seconds = int((self.moment - self.created).total_seconds())
            status["finishedAt"] = stamp(self.moment)
            status["resourcesDuration"] = {"cpu": seconds // 2, "memory": seconds}
            if self.phase != "Succeeded":
                bad = next(pod.node for pod in self.pods if pod.node["phase"] == self.phase)
                status["message"] = bad["message"]
        return status

    def spec(self) -> Document:
        """Entrypoint and templates."""
        templates: dict[str, Document] = {}
        for task in self.tasks:
            templates.setdefault(task.template, _template(task))
        if self.shape is Shape.POD:
            return {"entrypoint": self.tasks[0].template, "templates": list(templates.values())}
        main: Document = {"inputs": {}, "metadata": {}, "name": "main", "outputs": {}}
        if self.shape is Shape.STEPS:
            main["steps"] = [
                [{"arguments": {}, "name": t.name, "template": t.template}] for t in self.tasks
            ]
        else:
            main["dag"] = {"tasks": [self._dag_task(index) for index in range(len(self.tasks))]}
        return {"entrypoint": "main", "templates": [main, *templates.values()]}

    def _dag_task(self, index: int) -> Document:
        task, count = self.tasks[index], len(self.tasks)
        entry: Document = {"arguments": {}, "name": task.name, "template": task.template}
        if index == count - 1 and count > 2:
            entry["depends"] = " && ".join(each.name for each in self.tasks[1:-1])
        elif index:
            entry["depends"] = self.tasks[0].name
        return entry


def _template(task: Task) -> Document:
    container: Document = {
        "args": list(task.args),
        "command": list(task.command),
        "image": task.image,
        "name": "",
        "resources": {"requests": {"cpu": "100m", "memory": task.memory}},
    }
    if task.env:
        container["env"] = [{"name": key, "value": value} for key, value in task.env.items()]
    template: Document = {
        "container": container,
        "inputs": {},
        "metadata": {},
        "name": task.template,
        "outputs": {},
    }
    if task.failed_attempts:
        template["retryStrategy"] = {"limit": str(max(3, task.failed_attempts))}
    return template


def _managed_fields(
    created: datetime, changed: datetime, marks: Mapping[str, str]
) -> list[Document]:
    """Who wrote what: Argo's server at first, then its controller."""
    return [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {
                    "f:generateName": {},
                    "f:labels": {".": {}, f"f:{names.CREATOR}": {}},
                },
                "f:spec": {},
            },
            "manager": "argo",
            "operation": "Update",
            "time": stamp(created),
        },
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:metadata": {
                    "f:annotations": {".": {}, f"f:{names.POD_NAME_FORMAT}": {}},
                    "f:labels": {f"f:{label}": {} for label in sorted(marks)},
                },
                "f:status": {".": {}, **_FIELDS},
            },
            "manager": "workflow-controller",
            "operation": "Update",
            "time": stamp(changed),
        },
    ]
