"""Pods and their logs. A log is bytes, and whole or an error."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus

import msgspec

from argo_retention.adapters.kubernetes_cluster import paths
from argo_retention.adapters.kubernetes_cluster.answers import (
    Attempt,
    is_absent,
    refusal,
    shorten,
    unreadable,
)
from argo_retention.adapters.kubernetes_cluster.listing import raw_pages
from argo_retention.adapters.kubernetes_cluster.metadata import Owner
from argo_retention.adapters.kubernetes_cluster.transport import JSON, Transport
from argo_retention.core import labels
from argo_retention.core.ports.cluster import ContainerState, Pod
from argo_retention.errors import ClusterError, PodLogGoneError


class _State(msgspec.Struct, frozen=True):
    reason: str = ""


class _ContainerStatus(msgspec.Struct, frozen=True):
    name: str
    state: dict[str, _State | None] = {}


class _PodStatus(msgspec.Struct, frozen=True):
    phase: str = ""
    containerStatuses: list[_ContainerStatus] | None = None  # noqa: N815 - the API's spelling
    initContainerStatuses: list[_ContainerStatus] | None = None  # noqa: N815


class _PodMeta(msgspec.Struct, frozen=True):
    name: str
    namespace: str
    uid: str
    annotations: dict[str, str] | None = None
    ownerReferences: list[Owner] | None = None  # noqa: N815


class _Pod(msgspec.Struct, frozen=True):
    metadata: _PodMeta
    status: _PodStatus = _PodStatus()


_POD = msgspec.json.Decoder(_Pod)


def get_pod(transport: Transport, *, namespace: str, name: str) -> Pod | None:
    """The pod; None where the server says that it is not there."""
    attempt = transport.attempt("get", "", "pods", namespace, name)
    answer = transport.ask(paths.PODS.object(namespace, name), attempt=attempt)
    if is_absent(answer, attempt):
        return None
    if answer.status != HTTPStatus.OK:
        raise refusal(answer, attempt)
    return _pod(answer.body, attempt)


def pods_of(transport: Transport, *, namespace: str, workflow: str) -> Sequence[Pod]:
    """The pods with the label of a workflow of this name."""
    attempt = transport.attempt("list", "", "pods", namespace)
    pages = raw_pages(
        transport, paths.PODS, namespace=namespace, selector=f"{labels.WORKFLOW}={workflow}"
    )
    return [_pod(item, attempt) for page in pages for item in page.items or ()]


def _pod(body: bytes | msgspec.Raw, attempt: Attempt) -> Pod:
    try:
        pod = _POD.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise unreadable(attempt, str(error)) from error
    meta, status = pod.metadata, pod.status
    statuses = (*(status.initContainerStatuses or ()), *(status.containerStatuses or ()))
    return Pod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        phase=status.phase,
        workflow_uids=tuple(
            owner.uid
            for owner in meta.ownerReferences or ()
            if owner.kind == "Workflow" and owner.apiVersion.startswith(f"{paths.ARGO_GROUP}/")
        ),
        node_id=(meta.annotations or {}).get(labels.NODE_ID, ""),
        containers={status.name: _container_state(status) for status in statuses},
    )


def _container_state(status: _ContainerStatus) -> ContainerState:
    for state in ("running", "terminated", "waiting"):
        found = status.state.get(state)
        if found is not None:
            return ContainerState(name=status.name, state=state, reason=found.reason)
    return ContainerState(name=status.name, state="unknown")


@contextmanager
def open_pod_log(
    transport: Transport, *, namespace: str, pod: str, container: str
) -> Iterator[Iterator[bytes]]:
    """The log as chunks; see the port. Not sent again: the caller may have used some of it."""
    attempt = transport.attempt("get", "", "pods/log", namespace, pod)
    with transport.stream(
        f"{paths.PODS.object(namespace, pod)}/log",
        attempt=attempt,
        query={"container": container},
        accept=JSON,
        seconds=transport.read_seconds,
    ) as response:
        if response.status == HTTPStatus.NO_CONTENT:
            raise ClusterError(
                f"Cannot {attempt}: container {shorten(container)} has no log (yet), because the pod "
                "is not scheduled.\nRun again when the pod has run or is gone."
            )
        if response.status != HTTPStatus.OK:
            answer = transport.refusal_of(response, attempt=attempt)
            error = refusal(answer, attempt)
            if is_absent(answer, attempt):
                raise PodLogGoneError(f'Cannot {attempt}: there is no pod "{pod}" (any more).')
            raise error
        if "Content-Length" not in response.headers and not response.headers.get(
            "Transfer-Encoding", ""
        ):
            # Such a body ends with the connection, so a cut log would look like a whole one.
            raise unreadable(attempt, "it has neither a length nor chunks")
        yield transport.chunks(response, attempt=attempt)
