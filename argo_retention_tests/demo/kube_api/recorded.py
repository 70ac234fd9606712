"""Exchanges recorded from a real API server, in the order in which they were made."""

import base64
import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parents[2] / "testdata" / "golden" / "kube-api"

#: (recorded exchange, or a step of the server's own between two of them)
STEPS = [
    "version", "api-group", "unauthorized", "unauthorized-bad-token", "unknown-resource",
    "namespace-create",
    ("write", 3),  # the service account, its token and the ConfigMap of a new namespace
    "workflow-create", "workflow-create-1", "workflow-create-2", "workflow-create-3",
    "workflow-create-4", "workflow-create-generate-name", "workflow-create-conflict",
    "create-in-missing-namespace", "get", "get-2", "get-not-found", "list-for-rv", "list-page-1",
    "list-page-2", "list-page-last", "list-metadata-only", "list-table", "list-all-namespaces",
    "list-selector-absent-label", "list-selector-invalid", "list-continue-garbage",
    "patch-merge-label", "patch-merge-stale-rv", "patch-json-test-fails",
    "delete-precondition-uid", "delete-precondition-rv", "delete-dry-run", "delete-not-found",
    "workflow-create-finalizer", "delete-with-finalizer", "delete-with-finalizer-again",
    "get-deleting", "watch-from-rv", "watch-metadata-only",
    ("write", 3),
    "watch-list-initial-events", "watch-future-rv", "watch-too-old", "list-future-rv",
    "namespace-missing-list", "self-subject-access-review", "pod-create", "pod-log-unscheduled",
    "pod-log-no-container", "pod-log-bad-container", "pod-log-not-found", "delete-collection",
    ("write", 30),
    ("compact",),
    "watch-rv-compacted",
    "workflow-create-5", "workflow-create-6", "workflow-create-7", "get-5", "get-6",
    "delete-dry-run-in-query-with-body", "get-after-dry-run-in-query", "delete-dry-run-in-body",
    "get-after-dry-run-in-body",
    "delete-dry-run-in-query-no-body", "delete-ok", "list-page-before-compaction",
    ("write", 3),
    ("compact",),
    "list-continue-expired", "list-rv-exact-expired",
    ("argo_pod",),
    "pod-list-by-workflow", "pod-log-main", "pod-log-timestamps", "pod-log-tail-lines",
    "pod-log-tail-too-many", "pod-log-negative-tail", "pod-log-limit-bytes", "pod-log-since-time",
]  # fmt: skip


def exchange(name: str) -> dict[str, Any]:
    return json.loads((RECORDED / f"{name}.json").read_text())


def normalized(value: Any) -> Any:
    """A body without what LEFT_OUT names."""
    if isinstance(value, list):
        return [normalized(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: normalized(item) for key, item in value.items() if key != "managedFields"}
    if plain.get("continue"):
        token = plain["continue"]
        decoded = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        plain["continue"] = {**decoded, "start": decoded["start"].removeprefix("/")}
    if str(plain.get("message", "")).startswith("too old resource version: 1 "):
        plain["message"] = plain["message"].partition("(")[0]
    if plain.get("kind") == "Table":
        for row in plain["rows"]:
            row["cells"][2] = "an age"
    if plain.get("kind") == "Pod":
        plain["spec"] = [container["name"] for container in plain["spec"]["containers"]]
    return plain


def parsed(body: str) -> Any:
    """A JSON body, the events of a watch, or text."""
    for documents in ([body], body.splitlines()):
        try:
            return [normalized(json.loads(document)) for document in documents]
        except ValueError:
            continue
    return body


def shortened(path: str) -> str:
    """A watch of a second instead of two or three."""
    return path.replace("timeoutSeconds=2", "timeoutSeconds=1").replace("timeoutSeconds=3", "timeoutSeconds=1")  # fmt: skip


def comparable(status: int, headers: dict[str, str], body: str) -> tuple[Any, ...]:
    lower = {key.lower(): value for key, value in headers.items()}
    return status, lower.get("content-type"), lower.get("retry-after"), parsed(body)
