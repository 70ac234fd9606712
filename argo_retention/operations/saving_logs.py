"""Saving one log: the pod's log is streamed into the bucket, under Argo's key where that is free.

The intent is committed before (by the caller), so that an object whose record was lost in a crash is known
again by its metadata.
"""

import hashlib
from collections.abc import Iterator
from itertools import chain

from msgspec import structs

from argo_retention.core.log_keys import uid_key
from argo_retention.core.logs import LogRecord, LogState
from argo_retention.core.ports.log_store import PutResult
from argo_retention.errors import ArgoRetentionError, ClusterError, PodLogGoneError
from argo_retention.operations.log_tasks import (
    LogTask,
    as_stored,
    first_line,
    is_ours,
    lost,
    object_metadata,
    unsettled,
)
from argo_retention.operations.site import Site

ONE_PUT_LIMIT = 2 * 1024 * 1024  # a longer log goes as a multipart stream; 32 of these are 64 MiB
REFUSAL_PREFIX = b"unable to retrieve container logs for "
REFUSAL_MAX = 1024


class LogSaver:
    """Saves logs of one site; safe to call from many threads."""

    def __init__(self, site: Site) -> None:
        """Nothing is read yet."""
        self._site = site

    def save(self, task: LogTask) -> LogRecord:
        """Read the pod's log and put it; a failure is an unsettled record, not an error."""
        try:
            return self._save(task)
        except PodLogGoneError:
            return self._gone(task)
        except ArgoRetentionError as error:
            return unsettled(task.record, first_line(error))

    def _save(self, task: LogTask) -> LogRecord:
        record = task.record
        store = self._site.log_stores.of(task.location, namespace=task.workflow.namespace)
        with self._site.cluster.open_pod_log(
            namespace=task.pod.namespace, pod=task.pod.name, container=record.container
        ) as chunks:
            body, is_whole = read_up_to(chunks, ONE_PUT_LIMIT)
            if not is_whole:
                # A conditional put needs the whole body at once; a key with the uid is nobody else's.
                record = _under_uid_key(task)
                rest = chain([body], chunks)
                put = store.put_stream(record.key, rest, metadata=object_metadata(record, ""))
                return _as_put(record, put)
        if _is_refusal(body):
            return unsettled(record, "the runtime answered with a refusal instead of the log")
        sha256 = hashlib.sha256(body).hexdigest()
        attempts = [record, _under_uid_key(task)]
        if not self._site.log_stores.honours_conditions(store):
            del attempts[0]  # it may be replaced, or replace another workflow's
        for attempt in attempts:
            metadata = object_metadata(attempt, sha256)
            put = store.put_if_absent(attempt.key, body, metadata=metadata)
            if put.created:
                return _as_put(attempt, put)
            taken = store.head(attempt.key)
            if taken is not None and is_ours(taken, attempt):
                return as_stored(attempt, taken)
        return unsettled(
            record, f"{record.bucket}/{record.key} is somebody else's, and the key with the uid too"
        )

    def _gone(self, task: LogTask) -> LogRecord:
        """404 for the log: lost only when the pod is gone too, or is another one."""
        try:
            pod = self._site.cluster.get_pod(namespace=task.pod.namespace, name=task.pod.name)
        except ClusterError as error:
            return unsettled(task.record, first_line(error))
        if pod is None or pod.uid != task.pod.uid:
            return lost(task.record, f"pod {task.pod.name} went while its log was asked for")
        return unsettled(task.record, f"pod {task.pod.name} is there, its log answers 404")


def _under_uid_key(task: LogTask) -> LogRecord:
    key = uid_key(
        workflow=task.workflow.manifest,
        key_prefix=task.location.key_prefix,
        pod_name=task.pod.name,
        container=task.record.container,
    )
    return structs.replace(task.record, key=key)


def _as_put(record: LogRecord, put: PutResult) -> LogRecord:
    return structs.replace(
        record,
        state=LogState.STORED,
        reason="",
        size=put.size,
        sha256=put.sha256,
        etag=put.etag,
    )


def read_up_to(chunks: Iterator[bytes], limit: int) -> tuple[bytes, bool]:
    """The beginning of a stream, and whether that is all of it."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            return b"".join(parts), False
    return b"".join(parts), True


def _is_refusal(body: bytes) -> bool:
    """A kubelet answers 200 with this one line when the runtime no longer has the log."""
    return len(body) <= REFUSAL_MAX and body.startswith(REFUSAL_PREFIX)
