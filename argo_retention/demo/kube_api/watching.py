"""Watches: what happened since a version, then what happens, until the time is up."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from argo_retention.demo.kube_api.listing import Selection, parse_integer, parse_version
from argo_retention.demo.kube_api.records import Record
from argo_retention.demo.kube_api.statuses import ApiError, expired
from argo_retention.demo.kube_api.store import Event, EventType, Store

#: How long a watch lasts for which no time is given; the real server picks 30 to 60 minutes.
_DEFAULT_SECONDS = 1800
_BOOKMARK_SECONDS = 60.0
#: A bookmark comes this long before the end, where the watch lasts long enough for it.
_LAST_BOOKMARK_SECONDS = 2.0
_SHORT_WATCH_SECONDS = 5

Render = Callable[[Record], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class WatchRequest:
    """The query of a watch."""

    selection: Selection
    #: None: begin with the state as it is.
    since: int | None
    timeout_seconds: int
    bookmarks: bool
    #: Whether the initial state ends with a bookmark that says so.
    marks_initial_end: bool
    #: Whether the events carry PartialObjectMetadata.
    metadata_only: bool = False

    @classmethod
    def from_query(
        cls, selection: Selection, query: Mapping[str, str], *, metadata_only: bool
    ) -> "WatchRequest":
        """Read the query, and refuse combinations that the real server refuses."""
        text = query.get("resourceVersion", "")
        initial = query.get("sendInitialEvents") == "true"
        if initial and query.get("resourceVersionMatch") != "NotOlderThan":
            message = (
                'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
            raise ApiError(422, "Invalid", message, details={"kind": "ListOptions"})
        return cls(
            selection=selection,
            since=None if initial or text in {"", "0"} else parse_version(text),
            timeout_seconds=parse_integer(query, "timeoutSeconds") or _DEFAULT_SECONDS,
            bookmarks=query.get("allowWatchBookmarks") in {"true", "1"},
            marks_initial_end=initial,
            metadata_only=metadata_only,
        )


async def watch(store: Store, request: WatchRequest, render: Render) -> AsyncIterator[bytes]:
    """The events of a watch as lines; each item is one chunk of the answer."""
    selection = request.selection
    predicate = selection.predicate()
    queue: deque[Event] = deque()
    wake = asyncio.Event()

    def on_event(event: Event) -> None:
        queue.append(event)
        wake.set()

    loop = asyncio.get_running_loop()
    end = loop.time() + request.timeout_seconds
    if request.since is not None and request.since < store.floor:
        message = f"too old resource version: {request.since} ({store.floor})"
        yield _line("ERROR", msgspec.json.encode(expired(message).document()))
        return
    store.listen(selection.resource, on_event)
    try:
        seen = store.version if request.since is None else request.since
        if request.since is None:
            yield _initial(store, request, predicate, render)
        else:
            queue.extend(store.events_since(selection.resource, request.since))
        next_bookmark = _next_bookmark(loop.time(), end, request)
        while True:
            lines: list[bytes] = []
            while queue:
                event = queue.popleft()
                if event.version > seen:
                    lines.append(_event_line(event, predicate, render))
                    seen = event.version
            if any(lines):
                yield b"".join(lines)
            now = loop.time()
            if now >= end:
                return
            if request.bookmarks and now >= next_bookmark:
                seen = max(seen, store.version)
                yield _bookmark(request, seen, initial_end=False)
                next_bookmark = _next_bookmark(now, end, request)
            wake.clear()
            try:
                async with asyncio.timeout(min(end, next_bookmark) - now):
                    await wake.wait()
            except TimeoutError:
                continue
    finally:
        store.unlisten(selection.resource, on_event)


def _next_bookmark(now: float, end: float, request: WatchRequest) -> float:
    last = end - _LAST_BOOKMARK_SECONDS
    if not request.bookmarks or request.timeout_seconds < _SHORT_WATCH_SECONDS or now >= last:
        return end
    return min(now + _BOOKMARK_SECONDS, last)


def _initial(
    store: Store, request: WatchRequest, predicate: Callable[[Record], bool], render: Render
) -> bytes:
    selection = request.selection
    lines = [
        _line(EventType.ADDED, render(record))
        for record in store.select(
            selection.resource, namespace=selection.namespace, version=store.version
        )
        if predicate(record)
    ]
    if request.marks_initial_end and request.bookmarks:
        lines.append(_bookmark(request, store.version, initial_end=True))
    return b"".join(lines)


def _bookmark(request: WatchRequest, version: int, *, initial_end: bool) -> bytes:
    resource = request.selection.resource
    metadata: dict[str, Any] = {"resourceVersion": str(version)}
    if initial_end:
        metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
    kind, api_version = resource.kind, resource.api_version
    if request.metadata_only:
        kind, api_version = "PartialObjectMetadata", "meta.k8s.io/v1"
    document = {"kind": kind, "apiVersion": api_version, "metadata": metadata}
    return _line("BOOKMARK", msgspec.json.encode(document))


def _event_line(event: Event, predicate: Callable[[Record], bool], render: Render) -> bytes:
    """The line of an event; an object that enters or leaves the selection is added or deleted."""
    was_in = event.before is not None and predicate(event.before)
    if event.after is not None and predicate(event.after):
        kind = EventType.MODIFIED if was_in else EventType.ADDED
        return _line(kind, render(event.after))
    if was_in and event.before is not None:
        last = event.after or event.before.at_version(event.version)
        return _line(EventType.DELETED, render(last))
    return b""


def _line(kind: str, document: bytes) -> bytes:
    return b"".join((b'{"type":"', kind.encode(), b'","object":', document, b"}\n"))
