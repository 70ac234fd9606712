"""Lists, page by page, from one consistent version or not at all.

No `resourceVersion` is asked for, so the server reads what is newest; the pages that follow are pinned to
that version by the continue token. The token that comes with a 410 would go on from another version: it is
not used.
"""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Generic, TypeVar

import msgspec

from argo_retention.adapters.kubernetes_cluster import paths
from argo_retention.adapters.kubernetes_cluster.answers import Attempt, is_absent, refusal
from argo_retention.adapters.kubernetes_cluster.metadata import PartialObject, live_workflow
from argo_retention.adapters.kubernetes_cluster.transport import (
    JSON,
    LIST_SECONDS,
    METADATA,
    METADATA_LIST,
    Transport,
)
from argo_retention.core.ports.cluster import MetadataPage
from argo_retention.errors import ClusterError, ClusterForbiddenError, ListIncompleteError

Item = TypeVar("Item")


class ListMeta(msgspec.Struct, frozen=True):
    """Metadata of a list."""

    resourceVersion: str  # noqa: N815 - the API's spelling
    continue_token: str = msgspec.field(name="continue", default="")
    remainingItemCount: int | None = None  # noqa: N815


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page; a body without `items` is no page."""

    metadata: ListMeta
    items: list[Item] | None


_METADATA = msgspec.json.Decoder(Page[PartialObject])
_RAW = msgspec.json.Decoder(Page[msgspec.Raw])


def metadata_pages(
    transport: Transport, *, selector: str, namespace: str | None, page_size: int
) -> Iterator[MetadataPage]:
    """Pages of Workflows, metadata only; see the port."""
    attempt = transport.attempt("list", paths.ARGO_GROUP, "workflows", namespace)
    _require_namespace(transport, namespace)
    for page in _pages(
        transport,
        paths.WORKFLOWS.collection(namespace),
        _METADATA,
        attempt=attempt,
        accept=METADATA_LIST,
        selector=selector,
        page_size=page_size,
    ):
        try:
            workflows = [live_workflow(item.metadata) for item in page.items or ()]
        except ValueError as error:
            raise _incomplete(attempt, str(error)) from error
        yield MetadataPage(
            workflows=workflows,
            resource_version=page.metadata.resourceVersion,
            remaining=page.metadata.remainingItemCount,
        )


def full_pages(
    transport: Transport, *, selector: str, namespace: str | None, page_size: int
) -> Iterator[Sequence[bytes]]:
    """Pages of Workflows as the server sent them; see the port."""
    _require_namespace(transport, namespace)
    for page in raw_pages(
        transport, paths.WORKFLOWS, selector=selector, namespace=namespace, page_size=page_size
    ):
        # A copy of each: a slice would keep the whole page in memory as long as one item is used.
        yield [bytes(item) for item in page.items or ()]


def raw_pages(
    transport: Transport,
    resource: paths.Resource,
    *,
    namespace: str | None,
    selector: str = "",
    page_size: int = 500,
) -> Iterator[Page[msgspec.Raw]]:
    """Pages of objects of any kind, items undecoded."""
    return _pages(
        transport,
        resource.collection(namespace),
        _RAW,
        attempt=transport.attempt("list", resource.group, resource.plural, namespace),
        accept=JSON,
        selector=selector,
        page_size=page_size,
    )


def _pages(
    transport: Transport,
    path: str,
    decoder: msgspec.json.Decoder[Page[Item]],
    *,
    attempt: Attempt,
    accept: str,
    selector: str,
    page_size: int,
) -> Iterator[Page[Item]]:
    query = {"limit": str(page_size)}
    if selector:
        query["labelSelector"] = selector
    version = ""
    while True:
        page = _page(transport, path, decoder, attempt=attempt, accept=accept, query=query)
        meta = page.metadata
        if not meta.resourceVersion:
            raise _incomplete(attempt, "a page does not say its resourceVersion")
        if version and meta.resourceVersion != version:
            raise _incomplete(
                attempt, f"one page is of version {version}, another of {meta.resourceVersion}"
            )
        if not meta.continue_token and meta.remainingItemCount:
            raise _incomplete(
                attempt, f"{meta.remainingItemCount} are still to come, and no page follows"
            )
        version = meta.resourceVersion
        yield page
        if not meta.continue_token:
            return
        if meta.continue_token == query.get("continue"):
            raise _incomplete(attempt, "the same page came twice")
        query["continue"] = meta.continue_token


def _page(
    transport: Transport,
    path: str,
    decoder: msgspec.json.Decoder[Page[Item]],
    *,
    attempt: Attempt,
    accept: str,
    query: dict[str, str],
) -> Page[Item]:
    # A page may take twice as long as anything else; a caller in a hurry is so here, too.
    seconds = min(LIST_SECONDS, 2 * transport.read_seconds)
    try:
        answer = transport.ask(path, attempt=attempt, accept=accept, query=query, seconds=seconds)
        if answer.status != HTTPStatus.OK:
            raise refusal(answer, attempt)
    except ClusterForbiddenError:
        raise
    except ClusterError as error:
        raise ListIncompleteError(str(error)) from error
    try:
        return decoder.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _incomplete(attempt, str(error)) from error


def _require_namespace(transport: Transport, namespace: str | None) -> None:
    """An unknown namespace lists as empty; that must not pass for a cluster without workflows."""
    if namespace is None:
        return
    attempt = transport.attempt("get", "", "namespaces", namespace, namespace)
    try:
        answer = transport.ask(
            paths.NAMESPACES.object(None, namespace), attempt=attempt, accept=METADATA
        )
    except ClusterForbiddenError:
        # A Role of one namespace often has no right to read the namespace itself. The list that
        # follows is then allowed by a RoleBinding, and that cannot be in a namespace that is not there;
        # where a ClusterRole allows the list, `doctor` asks for this right too.
        return
    except ClusterError as error:
        raise ListIncompleteError(str(error)) from error
    if is_absent(answer, attempt):
        raise ListIncompleteError(
            f'There is no namespace "{namespace}" in cluster {transport.name}, so its workflows cannot '
            "be listed.\nCheck the managed namespace in the settings and the cluster of the kubeconfig."
        )
    if answer.status != HTTPStatus.OK:
        raise ListIncompleteError(str(refusal(answer, attempt)))


def _incomplete(attempt: Attempt, why: str) -> ListIncompleteError:
    return ListIncompleteError(
        f"Cannot {attempt}: {why}.\nNothing is decided from such a list; run again."
    )
