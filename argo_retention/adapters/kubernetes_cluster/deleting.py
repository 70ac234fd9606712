"""DELETE and the archiving label: the two requests that change the cluster.

Neither is repeated blindly. A 429 was refused before anything was done, so it is waited for and sent again.
After a 5xx or a lost answer the server may or may not have done it: a DELETE then looks at the object.
"""

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
from argo_retention.core.ports.cluster import DeleteOutcome, PatchOutcome, PatchResult
from argo_retention.errors import ClusterError

MERGE_PATCH = "application/merge-patch+json"


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


def delete_workflow(
    transport: Transport, *, namespace: str, name: str, uid: str, resource_version: int
) -> DeleteOutcome:
    """DELETE this version of this object; see the port.

    When the answer is lost or is a 5xx, the object is read:

    * it is not there, or another object has its name: GONE (by this request or by somebody else);
    * it is being deleted: TERMINATING;
    * it is there in another version: CHANGED, because this request can no longer delete it;
    * it is there unchanged: the error is raised. The request may still be under way, which the
      preconditions make harmless: it deletes the version that was meant, or nothing.

    Raises:
        ClusterForbiddenError: 401 or 403.
        ClusterError: It is not known to be deleted.
    """
    attempt = transport.attempt("delete", paths.ARGO_GROUP, "workflows", namespace, name)
    # In the body: a dry run or preconditions in the query are ignored beside it.
    options = msgspec.json.encode(
        {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {"uid": uid, "resourceVersion": str(resource_version)},
        }
    )
    try:
        answer = _change(
            transport, "DELETE", attempt, paths.WORKFLOWS.object(namespace, name), options
        )
    except AnswerLostError as lost:
        return _after_doubt(transport, attempt, uid, resource_version, lost)
    if answer.status in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
        found = _decode(answer, attempt)
        if found.kind == "Status":
            if found.status != "Success":
                raise unreadable(attempt, "a Status that is not Success")
            return DeleteOutcome.DELETED
        return DeleteOutcome.TERMINATING
    if is_absent(answer, attempt):
        return DeleteOutcome.GONE
    if _is_conflict(answer):
        return DeleteOutcome.CHANGED
    error = refusal(answer, attempt)
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _after_doubt(transport, attempt, uid, resource_version, error)
    raise error


def mark_archived(
    transport: Transport, *, namespace: str, name: str, uid: str, resource_version: int
) -> PatchResult:
    """Set the archiving label; see the port. After a lost answer or a 5xx the error is raised.

    The next run then finds the label, or sets it.
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
    answer = _change(
        transport,
        "PATCH",
        attempt,
        paths.WORKFLOWS.object(namespace, name),
        patch,
        content_type=MERGE_PATCH,
        accept=METADATA,
    )
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


def _change(
    transport: Transport,
    method: str,
    attempt: Attempt,
    path: str,
    body: bytes,
    *,
    accept: str = JSON,
    content_type: str = JSON,
) -> Answer:
    def once() -> Answer:
        answer = transport.send(
            method, path, attempt=attempt, accept=accept, body=body, content_type=content_type
        )
        if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
            error = refusal(answer, attempt)
            raise _ThrottledError(
                str(error), status=answer.status, retry_after=asked_pause(error)
            ) from error
        return answer

    return transport.patience.retry(once, transient=(_ThrottledError,), asked=asked_pause)


def _after_doubt(
    transport: Transport, attempt: Attempt, uid: str, resource_version: int, error: ClusterError
) -> DeleteOutcome:
    reading = transport.attempt(
        "get", paths.ARGO_GROUP, "workflows", attempt.namespace, attempt.name
    )
    try:
        found = _read(transport, reading)
    except ClusterError as second:
        raise ClusterError(
            f"{error}\nWhether it was deleted is not known, because the object could not be read either."
        ) from second
    if found is None or found.uid != uid:
        return DeleteOutcome.GONE
    if found.deletionTimestamp is not None:
        return DeleteOutcome.TERMINATING
    if found.resourceVersion != str(resource_version):
        return DeleteOutcome.CHANGED
    raise error


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
