"""The requests that kubectl makes, as seen from version 1.32."""

import pytest

from argo_retention.demo.kube_api.tables import human_duration
from argo_retention_tests.demo.kube_api.client import WORKFLOWS

TABLE = {
    "Accept": (
        "application/json;as=Table;v=v1;g=meta.k8s.io,"
        "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
    )
}


@pytest.mark.parametrize(
    "path", ["/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3"]
)
def test_discovery(client, path) -> None:
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

    answer = client.call("GET", path, headers={"Accept": accept})

    assert answer.status == 200
    assert client.call("GET", path, token=None).status == 403


def test_each_listed_resource_can_be_listed(client) -> None:
    for prefix in ("/api/v1", "/apis/apps/v1", "/apis/argoproj.io/v1alpha1"):
        for resource in client.call("GET", prefix).json["resources"]:
            if "list" in resource["verbs"]:
                answer = client.call("GET", f"{prefix}/{resource['name']}", headers=TABLE)
                assert answer.json["kind"] == "Table", resource


@pytest.mark.parametrize(
    ("path", "kind", "fields", "cells"),
    [
        ("/api/v1", "Secret", {"type": "Opaque", "data": {"a": "Yg=="}}, ["x", "Opaque", 1]),
        ("/api/v1", "ConfigMap", {"data": {"a": "b", "c": "d"}}, ["x", 2]),
        ("/apis/apps/v1", "Deployment", {"spec": {"replicas": 2}}, ["x", "0/2", 0, 0]),
        (
            "/api/v1",
            "Pod",
            {"spec": {"containers": [{"name": "main"}]}},
            ["x", "0/1", "Pending", 0],
        ),
    ],
)
def test_tables(client, path, kind, fields, cells) -> None:
    api_version = "apps/v1" if "apps" in path else "v1"
    collection = f"{path}/namespaces/demo/{kind.lower()}s"
    document = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}, **fields}
    assert client.call("POST", collection, document).status == 201

    table = client.call("GET", f"{collection}?includeObject=Object", headers=TABLE).json
    one = client.call("GET", f"{collection}/x", headers=TABLE).json

    (row,) = table["rows"]
    assert row["cells"][: len(cells)] == cells
    assert len(row["cells"]) == len(table["columnDefinitions"])
    assert row["object"]["kind"] == kind
    assert one["rows"][0]["cells"][0] == "x"


def test_describe_asks_for_events(client) -> None:
    selector = "involvedObject.uid%3Dx%2CinvolvedObject.name%3Da"

    answer = client.call(
        "GET", f"/api/v1/namespaces/demo/events?fieldSelector={selector}&limit=500"
    )

    assert answer.json["items"] == []


def test_delete_waits_for_the_name_to_go(client) -> None:
    client.create("a")
    listed = client.call("GET", f"{WORKFLOWS}?fieldSelector=metadata.name%3Da").json

    assert [item["metadata"]["name"] for item in listed["items"]] == ["a"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"), (119, "119s"), (125, "2m5s"), (180, "3m"), (3600, "60m"), (4 * 3600 + 60, "4h1m"),
        (9 * 3600, "9h"), (49 * 3600, "2d1h"), (30 * 86400, "30d"), (3 * 365 * 86400, "3y"),
    ],
)  # fmt: skip
def test_ages_read_as_in_kubectl(seconds, text) -> None:
    assert human_duration(seconds) == text
