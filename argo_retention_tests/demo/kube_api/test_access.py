import pytest

from argo_retention_tests.demo.kube_api.client import READER, WORKFLOWS, workflow

ELSEWHERE = "/apis/argoproj.io/v1alpha1/namespaces/other/workflows"
EVERYWHERE = "/apis/argoproj.io/v1alpha1/workflows"


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", WORKFLOWS, 200, ""),
        ("GET", f"{WORKFLOWS}/a", 200, ""),
        ("GET", EVERYWHERE, 403, "at the cluster scope"),
        ("GET", ELSEWHERE, 403, 'in the namespace "other"'),
        ("DELETE", f"{WORKFLOWS}/a", 403, 'workflows.argoproj.io "a" is forbidden: User "reader" cannot delete'),
        ("DELETE", WORKFLOWS, 403, 'cannot deletecollection resource "workflows"'),
        ("GET", "/api/v1/namespaces/demo/secrets", 403, 'secrets is forbidden: User "reader" cannot list resource "secrets" in API group ""'),
        ("GET", "/api/v1/namespaces/demo/pods/p/log", 403, 'cannot get resource "pods/log"'),
        ("GET", "/api/v1/namespaces/demo", 403, 'in the namespace "demo"'),
        ("POST", "/emulator/compact", 403, "cannot post path"),
    ],
)  # fmt: skip
def test_rules_decide(client, method, path, status, words) -> None:
    client.create("a")

    answer = client.call(method, path, token=READER)

    assert answer.status == status
    if words:
        assert answer.json["reason"] == "Forbidden"
        assert words in answer.json["message"]


@pytest.mark.parametrize(
    ("verb", "namespace", "subresource", "allowed"),
    [
        ("list", "demo", "", True),
        ("list", "", "", False),
        ("delete", "demo", "", False),
        ("get", "demo", "status", False),
    ],
)
def test_a_review_says_what_the_rules_allow(client, verb, namespace, subresource, allowed) -> None:
    attributes = {
        "verb": verb,
        "namespace": namespace,
        "group": "argoproj.io",
        "resource": "workflows",
        "subresource": subresource,
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    answer = client.call("POST", path, {"spec": {"resourceAttributes": attributes}}, token=READER)

    assert answer.json["status"] == {"allowed": allowed}


def test_kubectl_asks_in_protobuf(client) -> None:
    """The body as `kubectl auth can-i delete workflows -n demo` sends it, but for the length."""

    def message(*fields: tuple[int, bytes]) -> bytes:
        return b"".join(bytes([number << 3 | 2, len(value)]) + value for number, value in fields)

    attributes = message((1, b"demo"), (2, b"list"), (3, b"argoproj.io"), (5, b"workflows"))
    review = message((1, b""), (2, message((1, attributes))), (3, message((2, b""))))
    kind = message((1, b"authorization.k8s.io/v1"), (2, b"SelfSubjectAccessReview"))
    body = b"k8s\0" + message((1, kind), (2, review), (3, b""), (4, b""))
    headers = {"Content-Type": "application/vnd.kubernetes.protobuf"}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

    for token, allowed in ((READER, True), ("admin-token", True)):
        answer = client.call("POST", path, body, token=token, headers=headers)
        assert answer.json["status"] == {"allowed": allowed}
        assert answer.json["spec"]["resourceAttributes"]["namespace"] == "demo"
    assert client.call("POST", path, b"k8s\0", headers=headers).status == 400
    assert client.call("POST", WORKFLOWS, body, headers=headers).status == 415


def test_the_token_may_stand_in_the_path(client) -> None:
    """kubectl sends none without TLS."""
    client.create("a")

    assert client.call("GET", f"/bearer/{READER}{WORKFLOWS}", token=None).status == 200
    assert client.call("GET", f"/bearer/nobody{WORKFLOWS}", token=None).status == 401
    answer = client.call("POST", f"/bearer/{READER}{WORKFLOWS}", workflow("b"), token=None)
    assert answer.status == 403
