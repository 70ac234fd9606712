import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.demo.kube_api.patching import json_patch, merge_patch
from argo_retention.demo.kube_api.statuses import ApiError
from argo_retention_tests.demo.kube_api.client import WORKFLOWS, workflow

MERGE = {"Content-Type": "application/merge-patch+json"}
JSON_PATCH = {"Content-Type": "application/json-patch+json"}

documents = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(target=st.dictionaries(st.text(max_size=2), documents), patch=documents)
def test_a_merge_patch_is_idempotent(target, patch) -> None:
    once = merge_patch(target, patch)

    assert merge_patch(once, patch) == once


@pytest.mark.parametrize(
    ("operations", "expected"),
    [
        ([{"op": "add", "path": "/a", "value": 2}], {"a": 2, "l": [1, 2]}),
        ([{"op": "add", "path": "/l/-", "value": 3}], {"a": 1, "l": [1, 2, 3]}),
        ([{"op": "add", "path": "/l/0", "value": 0}], {"a": 1, "l": [0, 1, 2]}),
        ([{"op": "remove", "path": "/l/0"}], {"a": 1, "l": [2]}),
        ([{"op": "replace", "path": "/l/1", "value": 5}], {"a": 1, "l": [1, 5]}),
        ([{"op": "move", "from": "/a", "path": "/x~1y"}], {"x/y": 1, "l": [1, 2]}),
        ([{"op": "copy", "from": "/l", "path": "/a"}], {"a": [1, 2], "l": [1, 2]}),
        ([{"op": "test", "path": "/a", "value": 1}, {"op": "remove", "path": "/a"}], {"l": [1, 2]}),
    ],
)
def test_json_patches(operations, expected) -> None:
    target = {"a": 1, "l": [1, 2]}

    assert json_patch(target, operations) == expected
    assert target == {"a": 1, "l": [1, 2]}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/l/9", "value": 1},
        {"op": "test", "path": "/a", "value": 2},
        {"op": "guess", "path": "/a"},
        {"path": "/a"},
    ],
)
def test_json_patches_that_do_not_apply(operation) -> None:
    with pytest.raises(ApiError):
        json_patch({"a": 1, "l": []}, [operation])


def test_a_patch_that_changes_nothing_makes_no_version(client) -> None:
    before = client.create("a", labels={"team": "ml"})

    after = client.call(
        "PATCH", f"{WORKFLOWS}/a", {"metadata": {"labels": {"team": "ml"}}}, headers=MERGE
    ).json

    assert after == before


def test_generation_counts_what_is_not_metadata(client) -> None:
    client.create("a")
    label = {"metadata": {"labels": {"x": "y"}}}
    spec = [{"op": "add", "path": "/spec/shutdown", "value": "Stop"}]

    labelled = client.call("PATCH", f"{WORKFLOWS}/a", label, headers=MERGE).json
    stopped = client.call("PATCH", f"{WORKFLOWS}/a", spec, headers=JSON_PATCH).json

    assert (labelled["metadata"]["generation"], stopped["metadata"]["generation"]) == (1, 2)


def test_what_belongs_to_the_server_cannot_be_patched(client) -> None:
    before = client.create("a")["metadata"]
    wish = {"metadata": {"creationTimestamp": "2000-01-01T00:00:00Z", "deletionTimestamp": "x"}}

    after = client.call("PATCH", f"{WORKFLOWS}/a", wish, headers=MERGE).json["metadata"]

    assert after == before
    other = {"metadata": {"uid": "other"}}
    assert client.call("PATCH", f"{WORKFLOWS}/a", other, headers=MERGE).status == 409


def test_an_update_needs_the_version_that_it_read(client) -> None:
    first = client.create("a")
    changed = {**first, "spec": {"entrypoint": "other"}}

    assert client.call("PUT", f"{WORKFLOWS}/a", changed).status == 200
    assert client.call("PUT", f"{WORKFLOWS}/a", changed).status == 409


def test_dry_runs_change_nothing(client) -> None:
    assert client.call("POST", f"{WORKFLOWS}?dryRun=All", workflow("a")).status == 201
    assert client.call("GET", f"{WORKFLOWS}/a").status == 404


@pytest.mark.parametrize(
    ("document", "status"),
    [
        (workflow(""), 422),
        ({**workflow("a"), "kind": "Pod"}, 400),
        (workflow("a", namespace="other"), 400),
        (b"[", 400),
    ],
)
def test_creates_that_are_refused(client, document, status) -> None:
    assert client.call("POST", WORKFLOWS, document).status == status


def test_unknown_patch_types_are_refused(client) -> None:
    client.create("a")
    headers = {"Content-Type": "application/strategic-merge-patch+json"}

    assert client.call("PATCH", f"{WORKFLOWS}/a", {}, headers=headers).status == 415
    assert client.call("PUT", WORKFLOWS, workflow("a")).status == 405
