"""The pods of workflows, as they stand in the cluster after their containers have ended."""

from collections.abc import Mapping

from argo_retention.core import labels as names
from argo_retention.demo.scenes.building import SceneBuilder, uid_of
from argo_retention.demo.scenes.scene import Document
from argo_retention.demo.scenes.tasks import Task

_EXECUTOR = "quay.io/argoproj/argoexec:v4.1.2"


def pod_document(
    stage: SceneBuilder, *, owner: Mapping[str, str], task: Task, node: Document, name: str
) -> Document:
    """The pod of a node: containers wait and main, both ended unless the node still runs."""
    running = node["phase"] == "Running"
    marks = {names.WORKFLOW: owner["name"], names.COMPLETED: str(not running).lower()}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "annotations": {
                "kubectl.kubernetes.io/default-container": "main",
                names.NODE_ID: node["id"],
                names.NODE_NAME: node["name"],
            },
            "creationTimestamp": node["startedAt"],
            "generation": 1,
            "labels": marks,
            "name": name,
            "namespace": owner["namespace"],
            "ownerReferences": [
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "blockOwnerDeletion": True,
                    "controller": True,
                    "kind": "Workflow",
                    "name": owner["name"],
                    "uid": owner["uid"],
                }
            ],
            "resourceVersion": stage.next_version(),
            "uid": uid_of(stage.name, "Pod", owner["uid"], name),
        },
        "spec": {
            "containers": [
                {"command": ["argoexec", "wait"], "image": _EXECUTOR, "name": "wait"},
                {
                    "args": list(task.args),
                    "command": list(task.command),
                    "image": task.image,
                    "name": "main",
                    "resources": {"requests": {"cpu": "100m", "memory": task.memory}},
                },
            ],
            "nodeName": node["hostNodeName"],
            "restartPolicy": "Never",
        },
        "status": _status(task, node),
    }


def _status(task: Task, node: Document) -> Document:
    code = int(node.get("outputs", {}).get("exitCode", "0"))
    phase = {"Running": "Running", "Succeeded": "Succeeded"}.get(node["phase"], "Failed")
    containers = (("wait", _EXECUTOR, 0), ("main", task.image, code))
    return {
        "containerStatuses": [
            {
                "containerID": f"containerd://{node['id']}-{container}",
                "image": image,
                "imageID": image,
                "lastState": {},
                "name": container,
                "ready": phase == "Running",
                "restartCount": 0,
                "state": _state(node, exit_code),
            }
            for container, image, exit_code in containers
        ],
        "phase": phase,
        "startTime": node["startedAt"],
    }


def _state(node: Document, exit_code: int) -> Document:
    if node["phase"] == "Running":
        return {"running": {"startedAt": node["startedAt"]}}
    return {
        "terminated": {
            "exitCode": exit_code,
            "finishedAt": node["finishedAt"],
            "reason": "Completed" if exit_code == 0 else "Error",
            "startedAt": node["startedAt"],
        }
    }
