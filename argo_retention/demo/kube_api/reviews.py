"""SelfSubjectAccessReview: what may I do?

`kubectl auth can-i` sends it as protobuf and takes JSON as the answer, so that this one kind is
read from both.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from argo_retention.demo.kube_api.access import Action, User
from argo_retention.demo.kube_api.messages import Request, Response
from argo_retention.demo.kube_api.statuses import ApiError, bad_request

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"
#: Field numbers of ResourceAttributes in k8s.io/api/authorization/v1/generated.proto.
_ATTRIBUTES: Mapping[int, str] = {
    1: "namespace",
    2: "verb",
    3: "group",
    4: "version",
    5: "resource",
    6: "subresource",
    7: "name",
}
#: Of runtime.Unknown, the message around every object: the object itself.
_RAW = 2
#: Of SelfSubjectAccessReview.
_SPEC = 2
#: Of SelfSubjectAccessReviewSpec.
_RESOURCE_ATTRIBUTES = 1
_LENGTH_DELIMITED = 2


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The fields of a protobuf message that hold bytes, text or messages."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < len(message):
        tag = varint()
        size = varint()  # The length, or the value itself of a number, which nobody asks for.
        if tag & 7 == _LENGTH_DELIMITED:
            yield tag >> 3, message[at : at + size]
            at += size


def _spec_from_protobuf(body: bytes) -> dict[str, Any]:
    review = dict(_fields(body.removeprefix(_MAGIC)))[_RAW]
    spec = dict(_fields(dict(_fields(review))[_SPEC]))
    attributes = _fields(spec.get(_RESOURCE_ATTRIBUTES, b""))
    named = {_ATTRIBUTES[number]: value.decode() for number, value in attributes if value}
    return {"resourceAttributes": named}


def review(user: User, request: Request) -> Response:
    """Whether the user may do what the review asks for; anybody may ask.

    Raises:
        ApiError: 400 when the body is no review.
    """
    try:
        spec: dict[str, Any]
        if request.content_type == PROTOBUF:
            spec = _spec_from_protobuf(request.body)
        else:
            spec = msgspec.json.decode(request.body)["spec"]
    except (msgspec.DecodeError, KeyError, IndexError, TypeError) as error:
        raise bad_request("the object provided is unrecognized") from error
    wanted: Mapping[str, str] = spec.get("resourceAttributes") or {}
    resource, subresource = wanted.get("resource", ""), wanted.get("subresource")
    allowed = user.may(
        Action(
            verb=wanted.get("verb", ""),
            group=wanted.get("group", ""),
            resource=f"{resource}/{subresource}" if subresource else resource,
            namespace=wanted.get("namespace") or None,
        )
    )
    document = {
        "kind": "SelfSubjectAccessReview",
        "apiVersion": "authorization.k8s.io/v1",
        "metadata": {},
        "spec": spec,
        "status": {"allowed": allowed},
    }
    return Response(status=201, body=msgspec.json.encode(document) + b"\n")


def refuse_protobuf(request: Request) -> None:
    """Refuse a body in protobuf, which is read for reviews only.

    Raises:
        ApiError: 415.
    """
    if request.body and request.content_type == PROTOBUF:
        message = "the body of the request was in an unknown format - send application/json"
        raise ApiError(415, "UnsupportedMediaType", message, details={})
