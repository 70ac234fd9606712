"""Every exchange that was recorded from a real API server, asked again of the emulator.

The exchanges stand in the order in which they were made (their resourceVersions tell), with what
else happened on that server between them. Versions, uids, times and messages must come out as
recorded.
"""

import json
from datetime import UTC, datetime
from typing import Any

from argo_retention.demo.kube_api.clock import Clock
from argo_retention.demo.kube_api.writing import Identities
from argo_retention_tests.demo.kube_api.client import ADMIN, Client, make_api
from argo_retention_tests.demo.kube_api.recorded import (
    RECORDED,
    STEPS,
    comparable,
    exchange,
    shortened,
)

MORNING = datetime(2026, 11, 23, 5, 2, 9, tzinfo=UTC)

#: What the emulator does not answer as recorded, on purpose, and why; `recorded.normalized` leaves it out.
LEFT_OUT = {
    "managedFields": "who wrote which field: no client of this project reads it",
    "spec of a created pod": "the defaults of admission are not computed",
    "start of a continue token": "with or without a leading slash is up to the server's cache",
    "the oldest version in watch-too-old": "where that server's cache began, long before the demo",
    "Age in a table": "counted from the moment of the request",
}


class _RecordedIdentities(Identities):
    """The uids of the recorded answers, one after the other."""

    def __init__(self) -> None:
        self.next_uid = "00000000-0000-0000-0000-00000000000f"

    def uid(self) -> str:
        return self.next_uid

    def suffix(self) -> str:
        return "26w6z"


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
