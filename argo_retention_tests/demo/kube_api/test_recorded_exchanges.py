"""Every exchange that was recorded from a real API server, asked again of the emulator.

The exchanges stand in the order in which they were made (their resourceVersions tell), with what
else happened on that server between them. Versions, uids, times and messages must come out as
recorded.
"""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.writing import Identities
from argo_retention_tests.demo.kube_api.client import ADMIN, Client, make_api

RECORDED = Path(__file__).parents[2] / "testdata" / "golden" / "kube-api"
MORNING = datetime(2026, 11, 23, 5, 2, 9, tzinfo=UTC)

#: What the emulator does not answer as recorded, on purpose, and why; `normalized` leaves it out.
LEFT_OUT = {
    "managedFields": "who wrote which field: no client of this project reads it",
    "spec of a created pod": "the defaults of admission are not computed",
    "start of a continue token": "with or without a leading slash is up to the server's cache",
    "the oldest version in watch-too-old": "where that server's cache began, long before the demo",
    "Age in a table": "counted from the moment of the request",
}

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


class _RecordedIdentities(Identities):
    """The uids of the recorded answers, one after the other."""

    def __init__(self) -> None:
        self.next_uid = "00000000-0000-0000-0000-00000000000f"

    def uid(self) -> str:
        return self.next_uid

    def suffix(self) -> str:
        return "26w6z"


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


class Replay:
    def __init__(self, client: Client, identities: _RecordedIdentities, times: list) -> None:
        self.client = client
        self.identities = identities
        self.times = times

    def write(self, count: int) -> None:
        for number in range(count):
            name = f"between-{number}"
            self.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})

    def put(self, document: dict[str, Any]) -> None:
        assert self.client.call("POST", "/emulator/objects", document).status == 200

    def compact(self) -> None:
        assert self.client.call("POST", "/emulator/compact").status == 200

    def argo_pod(self) -> None:
        recorded = json.loads(exchange("pod-list-by-workflow")["response"]["body"])
        (pod,) = recorded["items"]
        self.put({"apiVersion": "v1", "kind": "Pod", **pod})
        lines = exchange("pod-log-main")["response"]["body"]
        log = {"namespace": "team-a", "pod": "log-demo", "container": "main", "body": lines}
        log["started_at"] = "2026-11-23T08:50:44.744276Z"
        assert self.client.call("POST", "/emulator/pod_logs", log).status == 200
        self.put(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "last", "resourceVersion": "9238"},
            }
        )

    def ask(self, name: str) -> tuple[dict[str, Any], Any]:
        recorded = exchange(name)
        request, response = recorded["request"], recorded["response"]
        token = ADMIN if "Authorization" in request["headers"] else None
        if name == "unauthorized-bad-token":
            token = "nobody's"
        if response["status"] == 201 and "uid" in response["body"]:
            metadata = json.loads(response["body"])["metadata"]
            if "uid" in metadata:
                self.identities.next_uid = metadata["uid"]
                self.times[0] = datetime.fromisoformat(metadata["creationTimestamp"])
        headers = {k: v for k, v in request["headers"].items() if k != "Authorization"}
        path = shortened(request["path"])
        answer = self.client.call(
            request["method"], path, request["body"], token=token, headers=headers
        )
        return response, answer


def shortened(path: str) -> str:
    """A watch of a second instead of two or three."""
    return path.replace("timeoutSeconds=2", "timeoutSeconds=1").replace("timeoutSeconds=3", "timeoutSeconds=1")  # fmt: skip


def test_every_exchange_is_replayed() -> None:
    names = [step for step in STEPS if isinstance(step, str)]

    assert sorted(names) == sorted(path.stem for path in RECORDED.glob("*.json"))


def test_answers_are_those_of_the_real_server(runner) -> None:
    identities = _RecordedIdentities()
    times = [MORNING]
    api = make_api(clock=Clock(lambda: times[0]), identities=identities)
    replay = Replay(Client(api=api, runner=runner), identities, times)
    # What was on that server before: its version, its namespaces, and 20 failed load workflows.
    for name in ("load", "team-a"):
        replay.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    listed = json.loads(exchange("list-all-namespaces")["response"]["body"])["items"]
    replay.put(listed[1])
    replay.put(
        {**listed[1], "metadata": {**listed[1]["metadata"], "name": "load-001514", "uid": "x"}}
    )
    replay.put(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "resourceVersion": "8935"}}
    )

    recorded: dict[str, Any] = {}
    answered: dict[str, Any] = {}
    for step in STEPS:
        if not isinstance(step, str):
            action, *arguments = step
            getattr(replay, action)(*arguments)
            continue
        response, answer = replay.ask(step)
        body = answer.body.decode()
        recorded[step] = comparable(response["status"], response["headers"], response["body"])
        answered[step] = comparable(answer.status, answer.headers, body)
        assert "date" in answer.headers

    differing = [step for step in recorded if answered[step] != recorded[step]]
    assert {step: answered[step] for step in differing} == {
        step: recorded[step] for step in differing
    }


def comparable(status: int, headers: dict[str, str], body: str) -> tuple[Any, ...]:
    lower = {key.lower(): value for key, value in headers.items()}
    return status, lower.get("content-type"), lower.get("retry-after"), parsed(body)
