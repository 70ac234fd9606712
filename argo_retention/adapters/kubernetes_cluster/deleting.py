"""DELETE and the archiving label: the two requests that change the cluster.

Neither is repeated blindly. A 429 was refused before anything was done, so it is waited for and sent again.
After a 5xx or a lost answer the server may or may not have done it: a DELETE then looks at the object.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

import msgspec

from argo_retention.adapters.kubernetes_cluster import paths
from argo_retention.adapters.kubernetes_cluster.answers import (
    Answer,
    AnswerLostError,
    Attempt,
    BusyError,
    asked_pause,
    is_absent,
    read_status,
    refusal,
    unreadable,
)
from argo_retention.adapters.kubernetes_cluster.transport import JSON, METADATA, Transport
from argo_retention.core import labels
from argo_retention.core.ports.cluster import (
    DeleteOutcome,
    DeleteResult,
    DeleteTarget,
    PatchOutcome,
    PatchResult,
    Sending,
)
from argo_retention.errors import ClusterError, DeletionUnknownError

#: Refusals of which a server on the way, not the API server, may be the author; and "later".
_NOT_PLAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
MERGE_PATCH = "application/merge-patch+json"
LOOK_UP_SECONDS = 0.5


class _Meta(msgspec.Struct, frozen=True):
    uid: str = ""
    resourceVersion: str = ""  # noqa: N815 - the API's spelling
    deletionTimestamp: str | None = None  # noqa: N815


class _Object(msgspec.Struct, frozen=True):
    kind: str
    metadata: _Meta
    status: Any = None


_OBJECT = msgspec.json.Decoder(_Object)


class _ThrottledError(BusyError):
    """429: refused before anything was done."""


def delete_workflows(
    transport: Transport, targets: Sequence[DeleteTarget], sending: Sending
) -> None:
    """DELETE these versions of these objects, many in flight; see the port.

    What is answered plainly is judged where it arrives. For the rest there is time, and a thread:

    * 429 was refused before anything was done: waited for as told, and sent again;
    * after a 5xx, a 408, an answer that cannot be read or none, the object is read. It is not there, or
      another object has its name: GONE (by this request or by somebody else). It is being deleted:
      TERMINATING. It is there in another version: CHANGED, because this request can no longer delete it. It
      is there unchanged: what the server refused with; without such a word the request may still be under
      way, and the result is a DeletionUnknownError.
    """
    many = transport.many
    waiting = iter(enumerate(targets))

    async def send_one_after_the_other() -> None:
        for place, target in waiting:
            if not await _may_send(sending):
                return
            answer = await _first_answer(transport, target)
            result = _judged(answer, _attempt(transport, target))
            if result is None:
                result = await many.elsewhere(partial(_settled, transport, target, answer))
            sending.report(place, result)

    async def send_all() -> None:
        senders = min(many.in_flight, len(targets))
        async with asyncio.TaskGroup() as group:
            for _ in range(senders):
                group.create_task(send_one_after_the_other())

    try:
        many.run(send_all)
    except BaseExceptionGroup as group:  # of one that failed; the others were called off with it
        raise group.exceptions[0] from None


async def _may_send(sending: Sending) -> bool:
    """Wait for the turn, looking up now and then whether all is to stop."""
    seconds = sending.turn()
    while seconds > 0 and not sending.is_stopped():
        pause = min(seconds, LOOK_UP_SECONDS)
        await asyncio.sleep(pause)
        seconds -= pause
    return not sending.is_stopped()


def _attempt(transport: Transport, target: DeleteTarget) -> Attempt:
    return transport.attempt("delete", paths.ARGO_GROUP, "workflows", target.namespace, target.name)


def _options(target: DeleteTarget) -> bytes:
    # In the body: a dry run or preconditions in the query are ignored beside it.
    uid, resource_version = target.uid, target.resource_version
    return msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": str(resource_version)},
        }
    )


async def _first_answer(transport: Transport, target: DeleteTarget) -> Answer | ClusterError:
    try:
        return await transport.many.send(
            "DELETE",
            paths.WORKFLOWS.object(target.namespace, target.name),
            attempt=_attempt(transport, target),
            headers={"Accept": JSON, "Content-Type": JSON},
            body=_options(target),
        )
    except ClusterError as error:
        return error


def _judged(answer: Answer | ClusterError, attempt: Attempt) -> DeleteResult | None:
    """What one answer says by itself; None where more must be asked."""
    if isinstance(answer, ClusterError):
        return None if isinstance(answer, AnswerLostError) else answer
    if answer.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
        try:
            found = _decode(answer, attempt)
        except ClusterError:
            return None
        if found.kind != "Status":
            return DeleteOutcome.TERMINATING
        return DeleteOutcome.DELETED if found.status == "Success" else None
    if is_absent(answer, attempt):
        return DeleteOutcome.GONE
    if _is_conflict(answer):
        return DeleteOutcome.CHANGED
    if answer.status in _NOT_PLAIN or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return None
    return refusal(answer, attempt)


def _settled(
    transport: Transport, target: DeleteTarget, answer: Answer | ClusterError
) -> DeleteResult:
    """What became of one whose first answer does not say it; may wait and ask again."""
    attempt = _attempt(transport, target)
    given = iter([answer])

    def again() -> Answer:
        first = next(given, None)
        if isinstance(first, ClusterError):
            raise first
        if first is not None:
            return first
        path = paths.WORKFLOWS.object(target.namespace, target.name)
        return transport.send("DELETE", path, attempt=attempt, body=_options(target))

    try:
        try:
            final = _patiently(transport, attempt, again)
        except AnswerLostError as error:
            return _after_doubt(transport, attempt, target, error)
        judged = _judged(final, attempt)
        return judged or _after_doubt(transport, attempt, target, _doubt_of(final, attempt))
    except ClusterError as error:
        return error


def mark_archived(
    transport: Transport, *, namespace: str, name: str, uid: str, resource_version: int
) -> PatchResult:
    """Set the archiving label; see the port.

    It is sent again after what is transient: where the first one was carried out, the second meets another
    version and is CHANGED, and the next run looks at the object as it is then.
    """
    attempt = transport.attempt("patch", paths.ARGO_GROUP, "workflows", namespace, name)
    patch = msgspec.json.encode(
        {
            "metadata": {
                "uid": uid,
                "resourceVersion": str(resource_version),
                "labels": {labels.ARCHIVING_STATUS: "Archived"},
            }
        }
    )

    def once() -> Answer:
        answer = transport.send(
            "PATCH",
            paths.WORKFLOWS.object(namespace, name),
            attempt=attempt,
            accept=METADATA,
            body=patch,
            content_type=MERGE_PATCH,
        )
        if answer.status in _NOT_PLAIN or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise refusal(answer, attempt)
        return answer

    answer = transport.repeated(once)
    if answer.status == HTTPStatus.OK:
        version = _decode(answer, attempt).metadata.resourceVersion
        if not version.isdecimal():
            raise unreadable(attempt, "the patched object has no resourceVersion")
        return PatchResult(outcome=PatchOutcome.PATCHED, resource_version=int(version))
    if is_absent(answer, attempt):
        return PatchResult(outcome=PatchOutcome.GONE)
    if _is_conflict(answer):
        return PatchResult(outcome=PatchOutcome.CHANGED)
    raise refusal(answer, attempt)


def workflow_exists(transport: Transport, *, namespace: str, name: str, uid: str) -> bool:
    """Whether the object of this very uid is still there."""
    attempt = transport.attempt("get", paths.ARGO_GROUP, "workflows", namespace, name)
    found = _read(transport, attempt)
    return found is not None and found.uid == uid


def _patiently(transport: Transport, attempt: Attempt, send: Callable[[], Answer]) -> Answer:
    """The answer, once it is not 429; the last 429 is raised."""

    def once() -> Answer:
        answer = send()
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            error = refusal(answer, attempt)
            raise _ThrottledError(
                str(error), status=answer.status, retry_after=asked_pause(error)
            ) from error
        return answer

    return transport.patience.retry(once, transient=(_ThrottledError,), asked=asked_pause)


def _after_doubt(
    transport: Transport, attempt: Attempt, target: DeleteTarget, error: ClusterError
) -> DeleteOutcome:
    reading = transport.attempt(
        "get", paths.ARGO_GROUP, "workflows", attempt.namespace, attempt.name
    )
    try:
        found = _read(transport, reading)
    except ClusterError as second:
        raise DeletionUnknownError(
            f"{error}\nWhether it was deleted is not known, because the object could not be read either."
        ) from second
    if found is None or found.uid != target.uid:
        return DeleteOutcome.GONE
    if found.deletionTimestamp is not None:
        return DeleteOutcome.TERMINATING
    if found.resourceVersion != str(target.resource_version):
        return DeleteOutcome.CHANGED
    if isinstance(error, AnswerLostError):
        raise DeletionUnknownError(
            f"{error}\nIt was still there a moment later; the request may be under way.\n"
            "The next run finds out."
        ) from error
    raise error


def _doubt_of(answer: Answer, attempt: Attempt) -> ClusterError:
    """Why an answer does not say what became of the request."""
    if answer.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
        why = "it is neither the object nor a Status of success"
        return AnswerLostError(str(unreadable(attempt, why)))
    error = refusal(answer, attempt)
    if answer.status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT):
        return AnswerLostError(str(error))
    return error


def _read(transport: Transport, attempt: Attempt) -> _Meta | None:
    path = paths.WORKFLOWS.object(attempt.namespace, attempt.name or "")
    answer = transport.ask(path, attempt=attempt, accept=METADATA)
    if answer.status == HTTPStatus.OK:
        meta = _decode(answer, attempt).metadata
        if not meta.uid:
            raise unreadable(attempt, "an object without a uid")
        return meta
    if is_absent(answer, attempt):
        return None
    raise refusal(answer, attempt)


def _is_conflict(answer: Answer) -> bool:
    return answer.status == HTTPStatus.CONFLICT and read_status(answer.body).reason == "Conflict"


def _decode(answer: Answer, attempt: Attempt) -> _Object:
    try:
        return _OBJECT.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise unreadable(attempt, str(error)) from error
