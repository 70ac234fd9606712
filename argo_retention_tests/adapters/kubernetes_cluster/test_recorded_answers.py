"""Each status of the real API server that matters becomes the outcome or the error that it should."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.core.ports.cluster import DeleteOutcome, PatchOutcome, PatchResult
from argo_retention.errors import (
    ClusterError,
    ClusterForbiddenError,
    ListIncompleteError,
    PodLogGoneError,
    WatchExpiredError,
)
from argo_retention_tests.adapters.kubernetes_cluster.scripted_api import (
    TOKEN,
    Scripted,
    ScriptedApi,
    answer,
    golden,
    status,
)
from argo_retention_tests.contracts.deleting import delete_one

NAMESPACE = answer({"kind": "Namespace", "metadata": {"name": "demo"}})
Ask = Callable[[KubernetesCluster], Any]


def list_all(cluster: KubernetesCluster) -> Any:
    return list(cluster.list_metadata(selector="", namespace=None, page_size=2))


def list_demo(cluster: KubernetesCluster) -> Any:
    return list(cluster.list_metadata(selector="", namespace="demo"))


def delete(name: str) -> Ask:
    return lambda cluster: delete_one(
        cluster, namespace="demo", name=name, uid="u", resource_version=7
    )


def patch(cluster: KubernetesCluster) -> PatchResult:
    return cluster.mark_archived(
        namespace="demo", name="hello-world-1", uid="u", resource_version=7
    )


def read_log(pod: str = "p1", container: str = "main") -> Ask:
    def read(cluster: KubernetesCluster) -> bytes:
        with cluster.open_pod_log(namespace="demo", pod=pod, container=container) as chunks:
            return b"".join(chunks)

    return read


def watch(cluster: KubernetesCluster) -> Any:
    return list(
        cluster.watch_metadata(selector="", namespace="demo", resource_version="1", seconds=2)
    )


def get(name: str) -> Ask:
    return lambda cluster: cluster.get_workflow(namespace="demo", name=name)


def may_delete(cluster: KubernetesCluster) -> bool:
    return cluster.allowed(
        verb="delete", group="argoproj.io", resource="workflows", namespace="demo"
    )


@pytest.mark.parametrize(
    ("name", "ask", "expected"),
    [
        ("delete-ok", delete("hello-world-6"), DeleteOutcome.DELETED),
        ("delete-precondition-rv", delete("hello-world-2"), DeleteOutcome.CHANGED),
        ("delete-precondition-uid", delete("hello-world-2"), DeleteOutcome.CHANGED),
        ("delete-not-found", delete("hello-world-2"), DeleteOutcome.GONE),
        ("delete-with-finalizer", delete("finalized"), DeleteOutcome.TERMINATING),
        ("patch-merge-stale-rv", patch, PatchResult(outcome=PatchOutcome.CHANGED)),
        (
            "patch-merge-label",
            patch,
            PatchResult(outcome=PatchOutcome.PATCHED, resource_version=8946),
        ),
        ("get-not-found", get("nope"), None),
        ("pod-log-main", read_log("log-demo"), golden("pod-log-main").body),
        ("self-subject-access-review", may_delete, True),
    ],
)
def test_an_answer_is_an_outcome(
    api: ScriptedApi, cluster: KubernetesCluster, name: str, ask: Ask, expected: Any
) -> None:
    api.will_give(golden(name))

    assert ask(cluster) == expected


@pytest.mark.parametrize(
    ("name", "ask", "error", "text"),
    [
        ("unauthorized-bad-token", list_all, ClusterForbiddenError, "renew the credentials"),
        ("unauthorized", list_all, ClusterForbiddenError, "carried no credentials"),
        ("list-continue-expired", list_all, ListIncompleteError, "410 Expired"),
        ("list-continue-garbage", list_all, ListIncompleteError, "invalid continue token"),
        ("list-selector-invalid", list_all, ListIncompleteError, "unable to parse requirement"),
        ("unknown-resource", list_all, ListIncompleteError, "kubectl api-resources"),
        ("unknown-resource", get("w"), ClusterError, "does not say that the object is gone"),
        ("unknown-resource", delete("w"), ClusterError, "does not say that the object is gone"),
        ("unknown-resource", read_log(), ClusterError, "does not say that the object is gone"),
        ("get-not-found", get("another"), ClusterError, "does not say that the object is gone"),
        ("pod-log-unscheduled", read_log(), ClusterError, "not scheduled"),
        ("pod-log-not-found", read_log("none"), PodLogGoneError, 'no pod "none"'),
        ("pod-log-no-container", read_log(), ClusterError, "choose one of: [main wait]"),
        ("pod-log-bad-container", read_log(), ClusterError, "container zzz is not valid"),
        ("watch-too-old", watch, WatchExpiredError, "too old resource version: 1 (266)"),
        ("watch-rv-compacted", watch, WatchExpiredError, "list again"),
        ("unauthorized", watch, ClusterForbiddenError, "carried no credentials"),
    ],
)
def test_an_answer_is_an_error(
    api: ScriptedApi,
    cluster: KubernetesCluster,
    name: str,
    ask: Ask,
    error: type[ClusterError],
    text: str,
) -> None:
    api.will_give(golden(name))

    with pytest.raises(error) as caught:
        ask(cluster)
    message = str(caught.value)
    assert text in message
    assert "(cluster prod)" in message
    assert len(message.splitlines()) <= 3
    assert TOKEN not in message
    assert isinstance(caught.value, PodLogGoneError) == (error is PodLogGoneError)
    assert len(api.requests) == 1


def test_a_metadata_list_is_read(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    last = answer({"metadata": {"resourceVersion": "8945"}, "items": []})
    api.will_give(NAMESPACE, golden("list-metadata-only"), last)

    first, second = list_demo(cluster)

    assert [(it.path, it.resource_version, it.phase) for it in first.workflows] == [
        ("demo/hello-world-0", 8940, "Failed"),
        ("demo/hello-world-1", 8941, "Succeeded"),
    ]
    assert (first.resource_version, first.remaining, second.remaining) == ("8945", 4, None)
    assert "resourceVersion" not in "".join(api.asked())
    assert api.requests[1].headers["Accept"].startswith("application/json;as=PartialObject")


def test_watch_events_are_read(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    api.will_give(golden("watch-metadata-only"))

    events = watch(cluster)

    assert [(kind, found.name, version) for kind, found, version in events] == [
        ("MODIFIED", "hello-world-1", "8946"),
        ("DELETED", "hello-world-2", "8947"),
        ("ADDED", "finalized", "8948"),
        ("MODIFIED", "finalized", "8949"),
    ]
    assert events[-1][1].deleting


def test_a_bookmark_has_a_version_and_no_workflow(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9000"}}}
    api.will_give(answer(event), Scripted(body=json.dumps(event).encode() + b"\n"))

    with pytest.raises(ClusterError, match="middle of an event"):
        watch(cluster)
    assert watch(cluster) == [("BOOKMARK", None, "9000")]


def test_a_missing_right_is_answered_with_the_rule_to_add(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(status(403, "Forbidden", 'User "bob" cannot get resource "pods/log"'))

    with pytest.raises(ClusterForbiddenError) as caught:
        read_log("p")(cluster)
    found, step = str(caught.value).splitlines()
    assert found == (
        'Cannot get pods/log "p" in namespace "demo" (cluster prod): the API server answered 403 '
        'Forbidden: User "bob" cannot get resource "pods/log"'
    )
    assert step == (
        'Add to a Role in namespace "demo" or a ClusterRole of this user: '
        '{apiGroups: [""], resources: ["pods/log"], verbs: ["get"]}'
    )


def test_foreign_text_is_cut(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    api.will_give(status(400, "BadRequest", "x\n" * 5000), Scripted(status=400, body=b"<html>"))

    for _ in range(2):
        with pytest.raises(ClusterError) as caught:
            get("w")(cluster)
        assert len(str(caught.value)) < 500
        assert "<html>" not in str(caught.value)


def test_the_kubelets_404_does_not_say_that_the_pod_is_gone(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    """The API server hands it on with kind `pods/log`: the pod may still be there."""
    details = {"name": "p", "kind": "pods/log"}
    document = {"kind": "Status", "code": 404, "reason": "NotFound", "details": details}
    api.will_give(Scripted(status=404, body=json.dumps(document).encode()))

    with pytest.raises(ClusterError) as caught:
        read_log("p")(cluster)
    assert not isinstance(caught.value, PodLogGoneError)


def test_a_delete_has_its_preconditions_in_the_body_and_nothing_in_the_query(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(golden("delete-ok"))

    delete("w")(cluster)

    (request,) = api.requests
    assert request.path == "/apis/argoproj.io/v1alpha1/namespaces/demo/workflows/w"
    assert request.body == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Background",
        "preconditions": {"uid": "u", "resourceVersion": "7"},
    }


def test_a_patch_carries_the_version_that_was_archived(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(golden("patch-merge-label"))

    patch(cluster)

    (request,) = api.requests
    assert request.headers["Content-Type"] == "application/merge-patch+json"
    assert request.body == {
        "metadata": {
            "uid": "u",
            "resourceVersion": "7",
            "labels": {"workflows.argoproj.io/workflow-archiving-status": "Archived"},
        }
    }


def test_a_subresource_is_asked_for_as_one(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    api.will_give(golden("self-subject-access-review"))

    assert cluster.allowed(verb="get", group="", resource="pods/log", namespace=None)

    assert api.requests[0].body["spec"]["resourceAttributes"] == {
        "verb": "get",
        "group": "",
        "resource": "pods",
        "subresource": "log",
    }


@pytest.mark.parametrize("name", ["a/b", "a?b", "a%2Fb", "ä", "a b"])
def test_names_are_quoted(api: ScriptedApi, cluster: KubernetesCluster, name: str) -> None:
    api.will_give(golden("pod-log-main"))

    read_log(pod=name, container="c&x=1")(cluster)

    path, _, query = api.requests[0].path.partition("?")
    assert path.count("/") == "/api/v1/namespaces/demo/pods/P/log".count("/")
    assert query == "container=c%26x%3D1"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_leads_up_the_tree_is_refused(cluster: KubernetesCluster, name: str) -> None:
    with pytest.raises(ValueError, match="not the name of an object"):
        delete(name)(cluster)


def test_a_path_before_the_api_is_kept(api: ScriptedApi, tmp_path: Path) -> None:
    """As behind a management server: https://HOST/k8s/clusters/c-1."""
    address, api.url = api.url, f"{api.url}/k8s/clusters/c-1"
    cluster = api.cluster(tmp_path)
    api.will_give(golden("version"))

    cluster.server_time()

    assert api.asked() == ["GET /k8s/clusters/c-1/version"]
    assert address in api.url
    cluster.close()


@pytest.mark.parametrize(
    ("reply", "ask"),
    [
        (Scripted(body=b"<html>"), lambda cluster: cluster.get_pod(namespace="demo", name="p")),
        (status(404), lambda cluster: cluster.get_pod(namespace="demo", name="p")),
        (answer([]), lambda cluster: cluster.namespaces()),
        (answer({"status": {}}), may_delete),
        (status(404), may_delete),
        (status(404), lambda cluster: cluster.server_time()),
        (
            Scripted(headers={"Date": "soon"}),
            lambda cluster: cluster.get_object(kind="Secret", namespace="demo", name="s"),
        ),
    ],
)
def test_an_answer_that_cannot_be_read_is_an_error(
    api: ScriptedApi, cluster: KubernetesCluster, reply: Scripted, ask: Ask
) -> None:
    api.will_give(reply)

    with pytest.raises(ClusterError):
        ask(cluster)
