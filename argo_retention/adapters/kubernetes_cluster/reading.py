"""Single objects, lists of configuration, namespaces, rights and the server's clock."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from argo_retention.adapters.kubernetes_cluster import paths
from argo_retention.adapters.kubernetes_cluster.answers import (
    Answer,
    Attempt,
    is_absent,
    refusal,
    unreadable,
)
from argo_retention.adapters.kubernetes_cluster.listing import raw_pages
from argo_retention.adapters.kubernetes_cluster.transport import Transport
from argo_retention.core.ports.cluster import Namespace


class _NamespaceMeta(msgspec.Struct, frozen=True):
    name: str
    uid: str
    annotations: dict[str, str] | None = None


class _Namespace(msgspec.Struct, frozen=True):
    metadata: _NamespaceMeta


class _Decision(msgspec.Struct, frozen=True):
    allowed: bool


class _Review(msgspec.Struct, frozen=True):
    status: _Decision


Value = TypeVar("Value")

_NAMESPACE = msgspec.json.Decoder(_Namespace)
_REVIEW = msgspec.json.Decoder(_Review)
_ANY: msgspec.json.Decoder[Mapping[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def get_workflow(transport: Transport, *, namespace: str, name: str) -> bytes | None:
    """The full object as the server sent it; None where it says that it is not there."""
    answer, _ = _get(transport, paths.WORKFLOWS, namespace, name)
    return None if answer is None else answer.body


def get_object(
    transport: Transport, *, kind: str, namespace: str, name: str
) -> Mapping[str, Any] | None:
    """One object of configuration, decoded; None where the server says that it is not there."""
    answer, attempt = _get(transport, paths.BY_KIND[kind], namespace, name)
    if answer is None:
        return None
    return _decode(_ANY, answer.body, attempt)


def list_objects(
    transport: Transport, *, kind: str, namespace: str | None
) -> Sequence[Mapping[str, Any]]:
    """All objects of a kind, decoded."""
    resource = paths.BY_KIND[kind]
    attempt = transport.attempt("list", resource.group, resource.plural, namespace)
    return [
        _decode(_ANY, item, attempt)
        for page in raw_pages(transport, resource, namespace=namespace)
        for item in page.items or ()
    ]


def namespaces(transport: Transport) -> Sequence[Namespace]:
    """All namespaces with their annotations."""
    attempt = transport.attempt("list", "", "namespaces", None)
    found = (
        _decode(_NAMESPACE, item, attempt).metadata
        for page in raw_pages(transport, paths.NAMESPACES, namespace=None)
        for item in page.items or ()
    )
    return [
        Namespace(name=meta.name, annotations=meta.annotations or {}, uid=meta.uid)
        for meta in found
    ]


def allowed(
    transport: Transport, *, verb: str, group: str, resource: str, namespace: str | None
) -> bool:
    """What the server's access review says of our own rights."""
    plural, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural}
    if subresource:
        attributes["subresource"] = subresource
    if namespace is not None:
        attributes["namespace"] = namespace
    attempt = transport.attempt("create", paths.REVIEWS.group, paths.REVIEWS.plural, None)
    answer = transport.ask(
        paths.REVIEWS.collection(None),
        attempt=attempt,
        post=msgspec.json.encode(
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SelfSubjectAccessReview",
                "spec": {"resourceAttributes": attributes},
            }
        ),
    )
    if answer.status == HTTPStatus.NOT_FOUND:
        raise refusal(answer, attempt)
    return _decode(_REVIEW, answer.body, attempt).status.allowed


def server_time(transport: Transport) -> datetime:
    """The `Date` header of a cheap answer, UTC."""
    attempt = transport.attempt("get", "", "/version", None)
    answer = transport.ask("/version", attempt=attempt)
    date = answer.headers.get("Date")
    if answer.status != HTTPStatus.OK or date is None:
        raise unreadable(attempt, "it has no Date header")
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except ValueError as error:
        raise unreadable(attempt, "its Date header is not a date") from error


def _get(
    transport: Transport, resource: paths.Resource, namespace: str, name: str
) -> tuple[Answer | None, Attempt]:
    attempt = transport.attempt("get", resource.group, resource.plural, namespace, name)
    answer = transport.ask(resource.object(namespace, name), attempt=attempt)
    if is_absent(answer, attempt):
        return None, attempt
    if answer.status != HTTPStatus.OK:
        raise refusal(answer, attempt)
    return answer, attempt


def _decode(
    decoder: msgspec.json.Decoder[Value], body: bytes | msgspec.Raw, attempt: Attempt
) -> Value:
    try:
        return decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise unreadable(attempt, str(error)) from error
