import pytest

from argo_retention_tests.demo.kube_api.client import WORKFLOWS

PODS = "/api/v1/namespaces/demo/pods"


def pod_of(client, owners, name="pod") -> None:
    references = [
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "o", "uid": uid}
        for uid in owners
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "demo", "ownerReferences": references},
    }
    assert client.call("POST", "/emulator/objects", document).status == 200


def names(client, path) -> list[str]:
    return [item["metadata"]["name"] for item in client.call("GET", path).json["items"]]


def options(policy: str) -> dict[str, str]:
    return {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": policy}


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_what_a_workflow_owns_goes_with_it(client, policy) -> None:
    owner = client.create("owner")["metadata"]["uid"]
    child = client.create(
        "child",
        ownerReferences=[
            {"apiVersion": "argoproj.io/v1alpha1", "kind": "Workflow", "name": "o", "uid": owner}
        ],
    )
    pod_of(client, [child["metadata"]["uid"]])

    client.call("DELETE", f"{WORKFLOWS}/owner", options(policy))

    assert names(client, WORKFLOWS) == []
    assert names(client, PODS) == []


def test_what_has_another_owner_stays(client) -> None:
    first = client.create("first")["metadata"]["uid"]
    second = client.create("second")["metadata"]["uid"]
    pod_of(client, [first, second])

    client.call("DELETE", f"{WORKFLOWS}/first", options("Background"))
    assert names(client, PODS) == ["pod"]
    client.call("DELETE", f"{WORKFLOWS}/second", options("Background"))
    assert names(client, PODS) == []


def test_orphans_stay_without_their_owner(client) -> None:
    pod_of(client, [client.create("owner")["metadata"]["uid"]])

    client.call("DELETE", f"{WORKFLOWS}/owner", options("Orphan"))

    assert names(client, WORKFLOWS) == []
    assert client.call("GET", f"{PODS}/pod").json["metadata"]["ownerReferences"] == []


def test_the_last_finalizer_lets_the_object_go(client) -> None:
    client.create("held", finalizers=["a", "b"])
    held = client.call("DELETE", f"{WORKFLOWS}/held", options("Background")).json
    merge = {"Content-Type": "application/merge-patch+json"}

    one = {"metadata": {"finalizers": ["b"]}}
    assert client.call("PATCH", f"{WORKFLOWS}/held", one, headers=merge).status == 200
    assert client.call("GET", f"{WORKFLOWS}/held").status == 200
    none = {"metadata": {"finalizers": None}}
    assert client.call("PATCH", f"{WORKFLOWS}/held", none, headers=merge).status == 200

    assert held["metadata"]["deletionTimestamp"]
    assert client.call("GET", f"{WORKFLOWS}/held").status == 404


def test_both_preconditions_must_hold(client) -> None:
    metadata = client.create("a")["metadata"]
    right = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]}

    for wrong in ({**right, "uid": "x"}, {**right, "resourceVersion": "1"}):
        assert client.call("DELETE", f"{WORKFLOWS}/a", {"preconditions": wrong}).status == 409
    assert client.call("DELETE", f"{WORKFLOWS}/a", {"preconditions": right}).status == 200


def test_a_broken_body_deletes_nothing(client) -> None:
    client.create("a")

    assert client.call("DELETE", f"{WORKFLOWS}/a", b"{").status == 400
    assert client.call("DELETE", f"{WORKFLOWS}/a", {"propagationPolicy": "Maybe"}).status == 400
    assert client.call("GET", f"{WORKFLOWS}/a").status == 200


def test_a_namespace_takes_its_objects_along(client) -> None:
    client.create("a")

    client.call("DELETE", "/api/v1/namespaces/demo")

    assert names(client, WORKFLOWS) == []
