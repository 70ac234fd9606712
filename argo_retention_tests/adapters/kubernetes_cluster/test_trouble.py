"""What the adapter does when the API server is busy, silent, cut off or not to be believed."""

import socket
from pathlib import Path
from typing import Any

import pytest
from urllib3.exceptions import HTTPError, NameResolutionError, ProxyError, SSLError

from argo_retention.adapters.kubernetes_cluster import answers
from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.core.ports.cluster import DeleteOutcome, PatchOutcome
from argo_retention.demo.kube_api.process import write_kubeconfig
from argo_retention.errors import (
    ClusterError,
    ClusterForbiddenError,
    DeletionUnknownError,
    ListIncompleteError,
)
from argo_retention_tests.adapters.kubernetes_cluster.scripted_api import (
    Scripted,
    ScriptedApi,
    answer,
    golden,
    status,
)
from argo_retention_tests.contracts.deleting import delete_one

CREATED = "2026-01-02T03:04:05Z"
CUT = Scripted(body=b"x" * 100, cut_after=10)
PATH = "/apis/argoproj.io/v1alpha1/workflows"


def item(**metadata: Any) -> dict[str, Any]:
    given = {
        "name": "w",
        "namespace": "demo",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": CREATED,
        **metadata,
    }
    return {"metadata": {name: value for name, value in given.items() if value is not None}}


def page(*items: Any, version: str = "9", **metadata: Any) -> Scripted:
    return answer({"metadata": {"resourceVersion": version, **metadata}, "items": list(items)})


def list_all(cluster: KubernetesCluster, **how: Any) -> list[str]:
    pages = cluster.list_metadata(**{"selector": "", "namespace": None, "page_size": 1, **how})
    return [found.name for found_page in pages for found in found_page.workflows]


def delete(cluster: KubernetesCluster) -> DeleteOutcome:
    return delete_one(cluster, namespace="demo", name="w", uid="u", resource_version=7)


# -- lists -----------------------------------------------------------------------------------------


def test_a_page_that_failed_is_asked_for_again_from_the_same_version(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(
        page(item(), **{"continue": "c1"}),
        status(503),
        status(502),
        CUT,
        page(item(name="x")),
    )

    assert list_all(cluster) == ["w", "x"]
    assert api.asked() == [f"GET {PATH}?limit=1", *[f"GET {PATH}?limit=1&continue=c1"] * 4]
    assert api.pauses == [0.2, 0.4, 0.8]


def test_retry_after_is_waited_for_and_bounded(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(
        status(429, Retry_After="3"),
        status(429, Retry_After="3600"),
        status(429, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"),
        page(),
    )

    assert list_all(cluster) == []
    assert api.pauses == [3.0, 10.0, 0.8]


def test_patience_ends(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    api.will_give(*[golden("list-future-rv")] * 5)

    with pytest.raises(ListIncompleteError, match="504 Timeout"):
        list_all(cluster)
    assert api.pauses == [1.0, 1.0, 1.0, 1.6]


@pytest.mark.parametrize(
    "second",
    [
        pytest.param(page(item(), version="10"), id="another version"),
        pytest.param(page(item(), **{"continue": "c1"}), id="the same page again"),
        pytest.param(page(item(), remainingItemCount=3), id="an end before the end"),
        pytest.param(page(item(), version=""), id="no version"),
        pytest.param(answer({"metadata": {"resourceVersion": "9"}}), id="no items"),
        pytest.param(answer({"kind": "Table", "rows": []}), id="a table"),
        pytest.param(Scripted(body=b'{"metadata": {'), id="half a document"),
        pytest.param(Scripted(body=b'{"metadata": "\xff"}'), id="no UTF-8"),
        pytest.param(page(item(uid=None)), id="an item without uid"),
        pytest.param(page(item(uid="")), id="an item with an empty uid"),
        pytest.param(page(item(resourceVersion=None)), id="an item without version"),
        pytest.param(page(item(resourceVersion="x")), id="an item whose version is no number"),
        pytest.param(page(item(creationTimestamp=None)), id="an item without creation time"),
        pytest.param(golden("list-continue-expired"), id="410"),
        pytest.param(status(500), id="500"),
    ],
)
def test_half_a_list_is_no_list(
    api: ScriptedApi, cluster: KubernetesCluster, second: Scripted
) -> None:
    api.will_give(page(item(), **{"continue": "c1"}), second)

    with pytest.raises(ListIncompleteError):
        list_all(cluster)
    assert len(api.requests) == 2


def test_a_right_that_is_taken_away_between_pages_is_a_missing_right(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(page(item(), **{"continue": "c1"}), golden("unauthorized"))

    with pytest.raises(ClusterForbiddenError):
        list_all(cluster)


def test_a_namespace_that_may_not_be_read_may_be_listed(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(golden("unauthorized"), page(item()))

    assert list_all(cluster, namespace="demo") == ["w"]


@pytest.mark.parametrize("found", [status(404, "NotFound"), status(500)])
def test_a_namespace_that_cannot_be_looked_up_is_no_list(
    api: ScriptedApi, cluster: KubernetesCluster, found: Scripted
) -> None:
    api.will_give(found)

    with pytest.raises(ListIncompleteError):
        list_all(cluster, namespace="demo")


# -- DELETE ----------------------------------------------------------------------------------------


def test_a_delete_waits_as_429_tells_it_to(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    api.will_give(status(429, Retry_After="2"), status(429, Retry_After="1"), golden("delete-ok"))

    assert delete(cluster) is DeleteOutcome.DELETED
    assert api.pauses == [2.0, 1.0]


def test_a_delete_does_not_wait_for_ever(api: ScriptedApi, cluster: KubernetesCluster) -> None:
    api.will_give(*[status(429, Retry_After="1")] * 5)

    with pytest.raises(ClusterError, match="lower the rate"):
        delete(cluster)
    assert len(api.requests) == 5


NOT_FOUND = {
    "kind": "Status",
    "code": 404,
    "reason": "NotFound",
    "details": {"name": "w", "kind": "workflows"},
}
ABSENT = Scripted(status=404, body=answer(NOT_FOUND).body)
LOST = Scripted(body=golden("delete-ok").body, cut_after=5)
FAILURE = answer({"kind": "Status", "status": "Failure", "metadata": {}})
NO_JSON = Scripted(body=b"<html>")


def there(**metadata: Any) -> Scripted:
    return answer({"kind": "PartialObjectMetadata", **item(**metadata)})


@pytest.mark.parametrize(
    "doubtful",
    [LOST, status(408), status(500), status(503), status(504), FAILURE, NO_JSON],
)
@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (ABSENT, DeleteOutcome.GONE),
        (there(uid="another"), DeleteOutcome.GONE),
        (there(deletionTimestamp=CREATED, resourceVersion="8"), DeleteOutcome.TERMINATING),
        (there(resourceVersion="8"), DeleteOutcome.CHANGED),
    ],
)
def test_p1_after_a_doubtful_delete_the_object_is_looked_at(
    api: ScriptedApi,
    cluster: KubernetesCluster,
    doubtful: Scripted,
    found: Scripted,
    outcome: DeleteOutcome,
) -> None:
    api.will_give(doubtful, found)

    assert delete(cluster) is outcome
    assert [request.method for request in api.requests] == ["DELETE", "GET"]


@pytest.mark.parametrize("doubtful", [LOST, status(500)])
@pytest.mark.parametrize(
    "found",
    [there(), status(403), status(404, "NotFound"), there(uid=None), Scripted(body=b"{")],
)
def test_a_doubtful_delete_is_not_sent_again(
    api: ScriptedApi, cluster: KubernetesCluster, doubtful: Scripted, found: Scripted
) -> None:
    """Unchanged, or not to be read: the workflow counts as not deleted, and the next run sees."""
    api.will_give(doubtful, found)

    with pytest.raises(ClusterError, match="Cannot delete"):
        delete(cluster)
    assert [request.method for request in api.requests] == ["DELETE", "GET"]


@pytest.mark.parametrize(
    "reply",
    [
        status(409, "AlreadyExists"),
        Scripted(status=409, body=b"busy"),
        status(400, "BadRequest"),
        Scripted(status=302, headers={"Location": "/login"}),
    ],
)
def test_a_delete_that_is_answered_strangely_is_an_error(
    api: ScriptedApi, cluster: KubernetesCluster, reply: Scripted
) -> None:
    api.will_give(reply)

    with pytest.raises(ClusterError):
        delete(cluster)
    assert len(api.requests) == 1


@pytest.mark.parametrize("doubtful", [LOST, status(408), status(504), FAILURE, NO_JSON])
def test_without_a_word_of_the_server_it_is_not_known_whether_it_was_deleted(
    api: ScriptedApi, cluster: KubernetesCluster, doubtful: Scripted
) -> None:
    """It is there unchanged a moment later, but the request may still be under way."""
    api.will_give(doubtful, there())

    with pytest.raises(DeletionUnknownError, match="The next run finds out"):
        delete(cluster)


@pytest.mark.parametrize("first", [LOST, status(503), status(504)], ids=["lost", "503", "504"])
def test_a_doubtful_patch_is_sent_again_with_the_same_preconditions(
    api: ScriptedApi, cluster: KubernetesCluster, first: Scripted
) -> None:
    """Where the first one was carried out the version is another one now, so nothing is recorded as proven."""
    api.will_give(first, status(409, "Conflict"))

    result = cluster.mark_archived(namespace="demo", name="w", uid="u", resource_version=7)

    assert result.outcome is PatchOutcome.CHANGED
    one, other = api.requests
    assert one.body == other.body
    assert one.body["metadata"]["resourceVersion"] == "7"


def test_a_patch_that_the_server_fails_is_an_error(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(status(500))

    with pytest.raises(ClusterError, match="500"):
        cluster.mark_archived(namespace="demo", name="w", uid="u", resource_version=7)


# -- logs and watches ------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Transfer-Encoding": "chunked"}])
def test_a_log_that_is_cut_is_an_error(
    api: ScriptedApi, cluster: KubernetesCluster, headers: dict[str, str]
) -> None:
    api.will_give(Scripted(headers=headers, body=b"x" * 200_000, cut_after=100_000))

    with (
        cluster.open_pod_log(namespace="demo", pod="p", container="main") as chunks,
        pytest.raises(ClusterError, match="was cut"),
    ):
        b"".join(chunks)


def test_a_log_whose_end_cannot_be_told_is_refused(
    api: ScriptedApi, cluster: KubernetesCluster
) -> None:
    api.will_give(Scripted(body=b"some", endless=True))

    with (
        pytest.raises(ClusterError, match="neither a length nor chunks"),
        cluster.open_pod_log(namespace="demo", pod="p", container="main"),
    ):
        pass


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"ERROR","object":{"kind":"Status","code":500,"reason":"InternalError"}}\n',
        b'{"type":"ADDED","object":{"metadata":{}}}\n',
        b"nonsense\n",
    ],
)
def test_a_watch_that_is_broken_is_an_error(
    api: ScriptedApi, cluster: KubernetesCluster, body: bytes
) -> None:
    api.will_give(Scripted(headers={"Transfer-Encoding": "chunked"}, body=body))

    with pytest.raises(ClusterError):
        list(cluster.watch_metadata(selector="", namespace=None, resource_version="1", seconds=1))


# -- no server -------------------------------------------------------------------------------------


def test_a_server_that_is_silent_is_not_waited_for(api: ScriptedApi, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        api.url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cluster = api.cluster(tmp_path, read_seconds=0.05)
        with pytest.raises(ClusterError, match="did not answer in time"):
            cluster.server_time()
        cluster.close()
    assert api.pauses == []


@pytest.mark.parametrize(
    ("scheme", "text"), [("http", "cannot be reached"), ("https", "TLS with https://127.0.0.1")]
)
def test_a_server_that_is_not_there_is_named(
    api: ScriptedApi, tmp_path: Path, scheme: str, text: str
) -> None:
    url = f"https{api.url[4:]}"
    if scheme == "http":
        with socket.create_server(("127.0.0.1", 0)) as closed:
            url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    kubeconfig = write_kubeconfig(tmp_path / "k", url=url, token="secret", cluster="c")
    cluster = connect(kubeconfig=str(kubeconfig), context=None, name="prod")

    with pytest.raises(ClusterError) as caught:
        cluster.get_workflow(namespace="demo", name="w")
    cluster.close()
    message = str(caught.value)
    assert text in message
    assert len(message.splitlines()) <= 3
    assert "secret" not in message


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NameResolutionError("h", None, socket.gaierror("no")), "cannot be resolved"),  # type: ignore[arg-type]
        (SSLError("certificate verify failed"), "certificate verify failed"),
        (ProxyError("cannot connect", OSError()), "HTTPS_PROXY"),
        (HTTPError("strange"), "HTTPError"),
    ],
)
def test_each_broken_connection_has_a_next_step(error: HTTPError, text: str) -> None:
    attempt = answers.Attempt(cluster="prod", verb="list", group="", resource="namespaces")

    message = str(answers.broken(error, attempt, "https://h:6443"))

    assert text in message
    assert message.startswith("Cannot list namespaces (cluster prod): ")
    assert len(message.splitlines()) == 2
