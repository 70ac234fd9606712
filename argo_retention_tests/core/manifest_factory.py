"""Small Workflow objects with overrides."""

from typing import Any

UID = "11111111-2222-3333-4444-555555555555"


def workflow(
    *,
    metadata: dict[str, Any] | None = None,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A succeeded workflow `team-a/wf` of one pod."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "name": "wf",
            "namespace": "team-a",
            "uid": UID,
            "resourceVersion": "12",
            "creationTimestamp": "2026-01-02T03:04:05Z",
            "labels": {"workflows.argoproj.io/completed": "true"},
            **(metadata or {}),
        },
        "spec": {
            "entrypoint": "main",
            "templates": [{"name": "main", "container": {}}],
            **(spec or {}),
        },
        "status": {
            "phase": "Succeeded",
            "startedAt": "2026-01-02T03:04:06Z",
            "finishedAt": "2026-01-02T03:05:00Z",
            "nodes": {"wf": node()},
            **(status or {}),
        },
    }


def node(**fields: Any) -> dict[str, Any]:
    """A succeeded node of type Pod."""
    return {
        "id": "wf",
        "name": "wf",
        "type": "Pod",
        "phase": "Succeeded",
        "templateName": "main",
        "templateScope": "local/wf",
        "startedAt": "2026-01-02T03:04:06Z",
        "finishedAt": "2026-01-02T03:05:00Z",
        **fields,
    }


def log_artifact(key: str, *, container: str = "main", **fields: Any) -> dict[str, Any]:
    """An artifact as Argo's executor records a log."""
    return {"name": f"{container}-logs", "s3": {"key": key}, **fields}
