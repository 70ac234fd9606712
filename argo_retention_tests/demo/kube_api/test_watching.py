import json

import pytest

from argo_retention_tests.demo.kube_api.client import WORKFLOWS, workflow

QUERY = "watch=true&timeoutSeconds=1"
METADATA = {"Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"}


def kinds(answer) -> list[tuple[str, str]]:
    return [(event["type"], event["object"]["metadata"].get("name", "")) for event in answer.events]


def test_a_watch_goes_on_with_what_happens_while_it_runs(client) -> None:
    start = client.create("a")["metadata"]["resourceVersion"]
    client.create("b")

    def during(chunk: bytes) -> None:
        if chunk and json.loads(chunk)["object"]["metadata"]["name"] == "b":
            client.api._seeder.put(json.dumps(workflow("c")).encode())

    answer = client.call("GET", f"{WORKFLOWS}?{QUERY}&resourceVersion={start}", on_chunk=during)

    assert kinds(answer) == [("ADDED", "b"), ("ADDED", "c")]


@pytest.mark.parametrize("version", ["", "&resourceVersion=0"])
def test_without_a_version_the_state_comes_first(client, version) -> None:
    client.create("a")

    answer = client.call("GET", f"{WORKFLOWS}?{QUERY}{version}", headers=METADATA)

    assert kinds(answer) == [("ADDED", "a")]
    assert "spec" not in answer.events[0]["object"]


def test_what_leaves_the_selection_is_deleted_for_the_watch(client) -> None:
    start = client.create("a", labels={"team": "ml"})["metadata"]["resourceVersion"]
    patch = {"metadata": {"labels": {"team": "web"}}}
    headers = {"Content-Type": "application/merge-patch+json"}
    client.call("PATCH", f"{WORKFLOWS}/a", patch, headers=headers)

    path = f"{WORKFLOWS}?{QUERY}&resourceVersion={start}&labelSelector=team%3Dml"
    assert kinds(client.call("GET", path)) == [("DELETED", "a")]
    path = f"{WORKFLOWS}?{QUERY}&resourceVersion={start}&labelSelector=team%3Dweb"
    assert kinds(client.call("GET", path)) == [("ADDED", "a")]


def test_the_event_of_a_deletion_has_a_version_of_its_own(client) -> None:
    """A client that goes on from it must not see the deletion again."""
    start = client.create("a")["metadata"]["resourceVersion"]
    client.call("DELETE", f"{WORKFLOWS}/a")

    (event,) = client.call("GET", f"{WORKFLOWS}?{QUERY}&resourceVersion={start}").events

    version = event["object"]["metadata"]["resourceVersion"]
    assert int(version) > int(start)
    assert client.call("GET", f"{WORKFLOWS}?{QUERY}&resourceVersion={version}").events == []


def test_a_watch_for_initial_events_needs_the_version_match(client) -> None:
    assert client.call("GET", f"{WORKFLOWS}?{QUERY}&sendInitialEvents=true").status == 422


def test_a_broken_selector_is_refused_before_the_stream(client) -> None:
    assert client.call("GET", f"{WORKFLOWS}?{QUERY}&labelSelector=%3D").status == 400
