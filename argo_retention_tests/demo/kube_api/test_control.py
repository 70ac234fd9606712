"""The calls of the emulator's own: faults, clock, logs, objects."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest

from argo_retention_tests.demo.kube_api.client import WORKFLOWS, workflow


def test_a_fault_meets_what_it_matches_as_often_as_asked(client) -> None:
    fault = {
        "match": {"method": "DELETE", "path_regex": "/workflows/a$"},
        "status": 429,
        "retry_after": 7,
        "times": 2,
    }
    client.create("a")
    client.create("b")
    assert client.call("POST", "/emulator/faults", fault).status == 200

    assert client.call("DELETE", f"{WORKFLOWS}/b").status == 200
    throttled = client.call("DELETE", f"{WORKFLOWS}/a")
    assert (throttled.status, throttled.headers["retry-after"]) == (429, "7")
    assert throttled.json["reason"] == "TooManyRequests"
    assert client.call("DELETE", f"{WORKFLOWS}/a").status == 429
    assert client.call("DELETE", f"{WORKFLOWS}/a").status == 200


def test_faults_last_until_they_are_cleared(client) -> None:
    client.call("POST", "/emulator/faults", {"status": 503, "delay_ms": 1})
    assert {client.call("GET", "/version").status for _ in range(3)} == {503}

    client.call("DELETE", "/emulator/faults")
    assert client.call("GET", "/version").status == 200


def test_an_answer_can_be_cut_off(client) -> None:
    client.create("a")
    fault = {"match": {"path_regex": "workflows"}, "cut_after_bytes": 10, "times": 1}
    client.call("POST", "/emulator/faults", fault)
    chunks: list[bytes] = []

    with pytest.raises(ConnectionAbortedError):
        client.call("GET", WORKFLOWS, on_chunk=chunks.append)

    assert [len(chunk) for chunk in chunks] == [10]


def test_the_clock_can_be_wrong(client) -> None:
    client.call("POST", "/emulator/clock", {"offset_seconds": -3600})

    said = parsedate_to_datetime(client.call("GET", "/version").headers["date"])

    behind = datetime.now(tz=UTC) - said
    assert timedelta(minutes=59) < behind < timedelta(minutes=61)


def test_objects_are_put_with_the_metadata_they_have(client) -> None:
    given = workflow(
        "a",
        uid="u-1",
        resourceVersion="500",
        creationTimestamp="2020-01-01T00:00:00Z",
        deletionTimestamp="2020-01-02T00:00:00Z",
        finalizers=["f"],
    )

    put = client.call("POST", "/emulator/objects", given).json

    assert put["metadata"] == {**given["metadata"], "generation": 1}
    assert client.call("GET", f"{WORKFLOWS}/a").json == put
    assert int(client.create("b")["metadata"]["resourceVersion"]) == 501


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/emulator/faults", {"statuss": 503}),
        ("/emulator/clock", {"offset": 3}),
        ("/emulator/objects", {"apiVersion": "v1", "kind": "Unknown", "metadata": {}}),
        ("/emulator/pod_logs", {"namespace": "demo"}),
        ("/emulator/objects", b"{"),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(client, path, body) -> None:
    assert client.call("POST", path, body).status == 400


def test_an_unknown_call_is_not_found(client) -> None:
    assert client.call("POST", "/emulator/nothing", {}).status == 404
