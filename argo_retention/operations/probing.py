"""Tries what this product does in a bucket, with an object of its own that it removes again."""

import secrets
from collections.abc import Callable
from datetime import datetime

from argo_retention.core.bucket_facts import BucketFacts
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion
from argo_retention.errors import ObjectForbiddenError, ObjectStoreError

PROBE_PREFIX = "argo-retention/probe"
BODY = b"argo-retention tries its rights in this bucket; this object may be deleted\n"


def probe_bucket(store: LogStore) -> BucketFacts:
    """Put, put again, read, head and delete one object. Never raises ObjectStoreError: it is in the facts."""
    key = _new_key()
    failures: list[str] = []
    lacks_right = False

    def attempt(call: Callable[[], bool]) -> bool:
        nonlocal lacks_right
        try:
            return call()
        except ObjectStoreError as error:
            lacks_right = lacks_right or isinstance(error, ObjectForbiddenError)
            failures.append(str(error))
            return False

    etag = ""
    clock: datetime | None = None

    def write() -> bool:
        nonlocal etag
        put = store.put_if_absent(key, BODY, metadata={})
        etag = put.etag
        return put.created

    def read() -> bool:
        # Without the object a read is tried all the same: 404 shows the right, 403 that it is missing.
        return store.get(key) == (BODY if can_write else None)

    def see_time() -> bool:
        nonlocal clock
        head = store.head(key)
        clock = head.last_modified if head else None
        return True

    def delete() -> bool:
        return _remove(store, key)

    can_write = attempt(write)
    can_read = attempt(read)
    honoured = can_write and attempt(lambda: _is_refused_again(store, key))
    attempt(see_time)
    can_delete = can_write and attempt(delete)
    if can_write and not honoured and not failures:
        failures.append(
            f"PUT s3://{store.bucket}/{key} with If-None-Match: *: the object was replaced.\n"
            "This S3 ignores conditions, so two writers may replace each other's logs:"
            " they are saved under keys with the workflow's uid only."
        )
    return BucketFacts(
        bucket=store.bucket,
        can_write=can_write,
        can_read=can_read,
        can_delete=can_delete,
        conditional_put_honoured=honoured,
        clock=clock,
        lacks_right=lacks_right,
        message=failures[0] if failures else "",
    )


def honours_conditions(store: LogStore) -> bool:
    """Whether a second put with If-None-Match: * of one key is refused. Raises ObjectStoreError.

    Where it is not, two writers may replace each other's objects, and only keys with a uid are safe.
    """
    key = _new_key()
    store.put_if_absent(key, BODY, metadata={})
    try:
        return _is_refused_again(store, key)
    finally:
        _remove(store, key)


def _new_key() -> str:
    return f"{PROBE_PREFIX}/{secrets.token_hex(16)}"


def _is_refused_again(store: LogStore, key: str) -> bool:
    return not store.put_if_absent(key, BODY, metadata={}).created


def _remove(store: LogStore, key: str) -> bool:
    """By the ETag of now: the second put may have replaced the first where conditions are not honoured."""
    head = store.head(key)
    return head is None or store.delete(key, etag=head.etag) is ObjectDeletion.DELETED
