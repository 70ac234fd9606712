"""Lists: pages pinned to one version, continue tokens, and the three forms of an answer."""

import base64
import binascii
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import msgspec

from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.resources import EVENTS, PODS, Resource
from argo_retention.demo.kube_api.selectors import field_selector, label_selector
from argo_retention.demo.kube_api.statuses import (
    ApiError,
    bad_request,
    expired,
    version_too_large,
)
from argo_retention.demo.kube_api.store import Store

_TOKEN_VERSION = "meta.k8s.io/v1"  # noqa: S105 - the name of a format
_CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)
_VERSION_EXPIRED = "The resourceVersion for the provided list is too old."
#: Lists in progress whose matches are kept, so that a page costs no more than its items.
_PINNED_LISTS = 8
#: In a token: the rest of the list, at whatever version is the newest.
_INCONSISTENT = -1


class VersionMatch(StrEnum):
    """How the resourceVersion of a list is meant."""

    UNSET = ""
    EXACT = "Exact"
    NOT_OLDER_THAN = "NotOlderThan"


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """Which objects of which kind a list or a watch is about."""

    resource: Resource
    namespace: str = ""
    label_text: str = ""
    field_text: str = ""

    @property
    def selects_everything(self) -> bool:
        """Whether there is no selector; only then does the server count what remains."""
        return not (self.label_text or self.field_text)

    def predicate(self) -> Callable[[Record], bool]:
        """Whether a record belongs to the selection.

        Raises:
            ApiError: 400 when a selector cannot be read or names an unsupported field.
        """
        supported = {"metadata.name", "metadata.namespace"}
        if self.resource is PODS:
            supported.add("status.phase")
        labels = label_selector(self.label_text)
        # kubectl describe selects events by the object they are about.
        known = None if self.resource is EVENTS else frozenset(supported)
        fields = field_selector(self.field_text, known)
        namespace = self.namespace

        def holds(record: Record) -> bool:
            return (
                (not namespace or record.namespace == namespace)
                and (labels is None or labels(record.labels))
                and (fields is None or fields(record.fields))
            )

        return holds


@dataclass(frozen=True, kw_only=True, slots=True)
class ListRequest:
    """The query of a list."""

    selection: Selection
    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    version_match: VersionMatch = VersionMatch.UNSET

    @classmethod
    def from_query(cls, selection: Selection, query: Mapping[str, str]) -> "ListRequest":
        """Read the query, and refuse combinations that the real server refuses."""
        match = query.get("resourceVersionMatch", "")
        if match not in set(VersionMatch):
            raise _invalid_options("resourceVersionMatch", f'Unsupported value: "{match}"')
        request = cls(
            selection=selection,
            limit=parse_integer(query, "limit"),
            continue_token=query.get("continue", ""),
            resource_version=query.get("resourceVersion", ""),
            version_match=VersionMatch(match),
        )
        if request.version_match and not request.resource_version:
            why = "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
            raise _invalid_options("resourceVersionMatch", why)
        if request.continue_token and request.resource_version not in {"", "0"}:
            raise bad_request("specifying resource version is not allowed when using continue")
        return request


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A part of a list: its records, the version it is of, and how it goes on."""

    resource: Resource
    records: Sequence[Record]
    version: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, Any]:
        """The ListMeta of kinds of the server's own."""
        metadata: dict[str, Any] = {"resourceVersion": str(self.version)}
        if self.continue_token:
            metadata["continue"] = self.continue_token
        if self.remaining is not None:
            metadata["remainingItemCount"] = self.remaining
        return metadata

    def full(self) -> bytes:
        """The list of whole objects."""
        items = b",".join([record.body for record in self.records])
        resource = self.resource
        if resource.is_custom:
            head = f'{{"apiVersion":"{resource.api_version}","items":['
            metadata = msgspec.json.encode({"continue": "", **self.metadata()})
            tail = f'],"kind":"{resource.kind}List","metadata":'
            return b"".join((head.encode(), items, tail.encode(), metadata, b"}\n"))
        return self._headed(f"{resource.kind}List", resource.api_version, items)

    def partial(self) -> bytes:
        """The list of the metadata alone."""
        items = b",".join([record.partial for record in self.records])
        return self._headed("PartialObjectMetadataList", "meta.k8s.io/v1", items)

    def _headed(self, kind: str, api_version: str, items: bytes) -> bytes:
        head = f'{{"kind":"{kind}","apiVersion":"{api_version}","metadata":'
        metadata = msgspec.json.encode(self.metadata())
        return b"".join((head.encode(), metadata, b',"items":[', items, b"]}\n"))


class _Token(msgspec.Struct):
    v: str
    rv: int
    start: str


class Lister:
    """Answers lists from a store, and remembers those that are under way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pinned: OrderedDict[tuple[Selection, int], tuple[list[str], list[Record]]] = (
            OrderedDict()
        )

    def page(self, request: ListRequest) -> Page:
        """One page, or the whole list where no limit is given.

        Raises:
            ApiError: 400 for a broken token, 410 for a version no longer kept, 504 for a future one.
        """
        selection = request.selection
        predicate = selection.predicate()
        after = ""
        if request.continue_token:
            token = _decode_token(request.continue_token)
            after = token.start.removeprefix("/").removesuffix("\0")
            if selection.namespace:
                after = f"{selection.namespace}/{after}"
            version = self._continued_version(token)
        else:
            version = self._asked_version(request)
        if not request.limit:
            records = [
                record
                for record in self._store.select(
                    selection.resource,
                    namespace=selection.namespace,
                    version=version,
                    after=after,
                )
                if predicate(record)
            ]
            return Page(resource=selection.resource, records=records, version=version)
        keys, matches = self._matches(selection, predicate, version)
        start = bisect_right(keys, after) if after else 0
        end = start + request.limit
        page = Page(resource=selection.resource, records=matches[start:end], version=version)
        if end >= len(matches):
            return page
        return replace(
            page,
            continue_token=_encode_token(selection, version, keys[end - 1]),
            remaining=len(matches) - end if selection.selects_everything else None,
        )

    def forget(self) -> None:
        """Drop the lists under way, as compaction does."""
        self._pinned.clear()

    def _matches(
        self, selection: Selection, predicate: Callable[[Record], bool], version: int
    ) -> tuple[list[str], list[Record]]:
        pinned = self._pinned.get((selection, version))
        if pinned is None:
            matches = [
                record
                for record in self._store.select(
                    selection.resource, namespace=selection.namespace, version=version
                )
                if predicate(record)
            ]
            pinned = [record.key for record in matches], matches
            self._pinned[selection, version] = pinned
        self._pinned.move_to_end((selection, version))
        for old in [key for key in self._pinned if key[1] < self._store.floor]:
            del self._pinned[old]
        while len(self._pinned) > _PINNED_LISTS:
            self._pinned.popitem(last=False)
        return pinned

    def _continued_version(self, token: _Token) -> int:
        if token.rv == _INCONSISTENT:
            return self._store.version
        if token.rv < self._store.floor:
            rest = msgspec.json.encode(_Token(v=token.v, rv=_INCONSISTENT, start=token.start))
            raise expired(_CONTINUE_EXPIRED, continue_token=_to_base64(rest))
        if token.rv > self._store.version:
            raise version_too_large(token.rv, self._store.version)
        return token.rv

    def _asked_version(self, request: ListRequest) -> int:
        text = request.resource_version
        if text in {"", "0"}:
            return self._store.version
        asked = parse_version(text)
        if asked > self._store.version:
            raise version_too_large(asked, self._store.version)
        # Without a match, a limit makes the version exact (the API's documented legacy).
        is_exact = request.version_match is VersionMatch.EXACT or (
            request.version_match is VersionMatch.UNSET and request.limit > 0
        )
        if not is_exact:
            return self._store.version
        if asked < self._store.floor:
            raise expired(_VERSION_EXPIRED)
        return asked


def parse_integer(query: Mapping[str, str], name: str) -> int:
    """A whole number of the query that is not negative; 0 where it is not given."""
    text = query.get(name) or "0"
    if not text.isdecimal():
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    return int(text)


def parse_version(text: str) -> int:
    """A resourceVersion as a number."""
    if not text.isdecimal():
        why = f'Invalid value: "{text}": strconv.ParseUint: parsing "{text}": invalid syntax'
        raise ApiError(400, "BadRequest", f"resourceVersion: {why}")
    return int(text)


def _invalid_options(field: str, why: str) -> ApiError:
    message = f'ListOptions.meta.k8s.io "" is invalid: {field}: {why}'
    details = {"group": "meta.k8s.io", "kind": "ListOptions"}
    return ApiError(422, "Invalid", message, details=details)


def _to_base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _encode_token(selection: Selection, version: int, last_key: str) -> str:
    key = last_key.removeprefix(f"{selection.namespace}/") if selection.namespace else last_key
    token = _Token(v=_TOKEN_VERSION, rv=version, start=f"/{key}\0")
    return _to_base64(msgspec.json.encode(token))


def _decode_token(text: str) -> _Token:
    prefix = "invalid continue token: continue key is not valid"
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request(f"{prefix}: illegal base64 data") from error
    try:
        token = msgspec.json.decode(data, type=_Token)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        first = data[:1].decode("latin-1")
        complaint = f"{prefix}: invalid character '{first}' looking for beginning of value"
        raise bad_request(complaint) from error
    if token.v != _TOKEN_VERSION:
        raise bad_request(f'{prefix}: server does not recognize this encoded version "{token.v}"')
    return token
