"""Watching metadata from a version on: a tick costs what changed, not what exists."""

import contextlib
import threading
from collections.abc import Iterator
from http import HTTPStatus

import msgspec
from urllib3.response import BaseHTTPResponse

from argo_retention.adapters.kubernetes_cluster import paths
from argo_retention.adapters.kubernetes_cluster.answers import (
    Attempt,
    ConnectionCutError,
    Status,
    refusal,
    shorten,
    unreadable,
)
from argo_retention.adapters.kubernetes_cluster.metadata import PartialObject, live_workflow
from argo_retention.adapters.kubernetes_cluster.transport import METADATA, Transport
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.errors import ClusterError, WatchExpiredError


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _BookmarkMeta(msgspec.Struct, frozen=True):
    resourceVersion: str  # noqa: N815 - the API's spelling


class _Bookmark(msgspec.Struct, frozen=True):
    metadata: _BookmarkMeta


_EVENT = msgspec.json.Decoder(_Event)
_OBJECT = msgspec.json.Decoder(PartialObject)
_BOOKMARK = msgspec.json.Decoder(_Bookmark)
_STATUS = msgspec.json.Decoder(Status)


def watch_metadata(
    transport: Transport,
    *,
    selector: str,
    namespace: str | None,
    resource_version: str,
    seconds: int,
    quiet_seconds: float | None,
) -> Iterator[tuple[str, LiveWorkflow | None, str]]:
    """Events from a version on, for some seconds; see the port.

    An object that begins to match the selector comes as ADDED, one that ceases to match as DELETED.
    """
    attempt = transport.attempt("watch", paths.ARGO_GROUP, "workflows", namespace)
    query = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": str(seconds),
        "resourceVersion": resource_version,
    }
    if selector:
        query["labelSelector"] = selector
    with transport.stream(
        paths.WORKFLOWS.collection(namespace),
        attempt=attempt,
        query=query,
        accept=METADATA,
        # Silence is what a quiet cluster answers with, up to the end of the watch.
        seconds=seconds + transport.read_seconds,
    ) as response:
        if response.status != HTTPStatus.OK:
            error = refusal(transport.refusal_of(response, attempt=attempt), attempt)
            if response.status == HTTPStatus.GONE:
                raise WatchExpiredError(str(error))
            raise error
        chunks = transport.chunks(
            response, attempt=attempt, quiet_seconds=seconds + transport.read_seconds
        )
        silence = _Silence(response, quiet_seconds)
        for line in _lines(silence.ends(chunks), attempt):
            yield _read_event(line, attempt)


class _Silence:
    """Ends a watch on which nothing has come for some seconds: what had happened has been said by then."""

    def __init__(self, response: BaseHTTPResponse, seconds: float | None) -> None:
        self._response = response
        self._seconds = seconds
        self._is_ended = False

    def ends(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The same, up to the first silence."""
        if self._seconds is None:
            yield from chunks
            return
        while True:
            timer = threading.Timer(self._seconds, self._end)
            timer.daemon = True
            timer.start()
            try:
                chunk = next(chunks, None)
            except ClusterError:
                if self._is_ended:
                    return  # the answer was cut by us
                raise
            finally:
                timer.cancel()
            if chunk is None or self._is_ended:
                return
            yield chunk

    def _end(self) -> None:
        self._is_ended = True
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # it ended by itself just now
            self._response.shutdown()


def _lines(chunks: Iterator[bytes], attempt: Attempt) -> Iterator[bytes]:
    begun = b""
    for chunk in chunks:
        *lines, begun = (begun + chunk).split(b"\n")
        yield from filter(None, lines)
    if begun:
        raise ConnectionCutError(
            f"Cannot {attempt}: the watch ended in the middle of an event.\nRun again."
        )


def _read_event(line: bytes, attempt: Attempt) -> tuple[str, LiveWorkflow | None, str]:
    try:
        event = _EVENT.decode(line)
        if event.type == "BOOKMARK":
            return event.type, None, _BOOKMARK.decode(event.object).metadata.resourceVersion
        if event.type == "ERROR":
            raise _failure(_STATUS.decode(event.object), attempt)
        workflow = live_workflow(_OBJECT.decode(event.object).metadata)
    except ValueError as error:  # MsgspecError is one, and so is what is wrong with one object
        raise unreadable(attempt, str(error)) from error
    return event.type, workflow, str(workflow.resource_version)


def _failure(status: Status, attempt: Attempt) -> ClusterError:
    message = (
        f"Cannot {attempt}: the API server sent {status.code} {shorten(status.reason)}: "
        f"{shorten(status.message)}"
    )
    if status.code == HTTPStatus.GONE:
        return WatchExpiredError(f"{message}\nThe version is no longer kept: list again.")
    return ClusterError(f"{message}\nRun again.")
