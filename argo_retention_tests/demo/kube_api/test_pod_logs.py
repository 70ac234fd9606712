import base64

import pytest

PODS = "/api/v1/namespaces/demo/pods"


@pytest.fixture
def pod(client):
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "demo", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {
            "nodeName": "n",
            "containers": [{"name": "main"}, {"name": "wait"}],
            "initContainers": [{"name": "init"}],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": "wait", "state": {"waiting": {"reason": "ImagePullBackOff"}}}
            ],
        },
    }
    assert client.call("POST", "/emulator/objects", document).status == 200
    return client


def put(client, **log) -> None:
    document = {"namespace": "demo", "pod": "p", "container": "main", **log}
    assert client.call("POST", "/emulator/pod_logs", document).status == 200


def test_bytes_come_back_as_they_were(pod) -> None:
    put(pod, body_base64=base64.b64encode(b"\xff\x00\n").decode())

    assert pod.call("GET", f"{PODS}/p/log?container=main").body == b"\xff\x00\n"


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_log_can_fail(pod, status) -> None:
    put(pod, status=status, reason="SomeReason", message="no luck")

    answer = pod.call("GET", f"{PODS}/p/log?container=main")

    assert answer.status == status
    assert (answer.json["reason"], answer.json["message"]) == ("SomeReason", "no luck")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("container=main&previous=true", 'previous terminated container "main" in pod "p"'),
        ("", "choose one of: [main wait] or one of the init containers: [init]"),
        ("container=wait", 'container "wait" in pod "p" is waiting to start: ImagePullBackOff'),
        ("container=main&tailLines=x", "invalid syntax"),
        ("container=main&sinceTime=noon", "since"),
    ],
)
def test_logs_that_cannot_be_had(pod, query, words) -> None:
    put(pod, body="x\n")

    answer = pod.call("GET", f"{PODS}/p/log?{query}")

    assert answer.status == 400
    assert words in answer.json["message"]


def test_a_container_that_printed_nothing_has_an_empty_log(pod) -> None:
    answer = pod.call("GET", f"{PODS}/p/log?container=init")

    assert (answer.status, answer.body) == (200, b"")


def test_the_limit_counts_timestamps_too(pod) -> None:
    put(pod, body="one\ntwo\n", started_at="2026-01-01T00:00:00Z")

    path = f"{PODS}/p/log?container=main&timestamps=true&tailLines=1&limitBytes=33"
    body = pod.call("GET", path).body

    assert body == b"2026-01-01T00:00:00.001000000Z tw"


def test_since_leaves_out_what_was_before(pod) -> None:
    put(pod, body="one\n", started_at="2026-01-01T00:00:05Z")
    path = f"{PODS}/p/log?container=main"

    assert pod.call("GET", f"{path}&sinceTime=2026-01-01T00:00:04Z").body == b"one\n"
    assert pod.call("GET", f"{path}&sinceTime=2026-01-01T00:00:06Z").body == b""
    assert pod.call("GET", f"{path}&sinceSeconds=1").body == b""


def test_pods_are_selected_by_phase(pod) -> None:
    def found(selector: str) -> int:
        return len(pod.call("GET", f"{PODS}?fieldSelector={selector}").json["items"])

    assert found("status.phase%3DRunning") == 1
    assert found("status.phase%3DFailed") == 0
    assert pod.call("GET", f"{PODS}?fieldSelector=spec.x%3D1").status == 400
