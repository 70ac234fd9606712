"""A bucket in memory, with a clock that a test sets, and faults and hooks for each operation and key."""

import hashlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from argo_retention.core.bucket_facts import BucketRules
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion, ObjectHead, PutResult
from argo_retention.errors import ObjectStoreError
from argo_retention_tests.fakes.faults import Faulty


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeObject:
    """One object as it is stored."""

    body: bytes
    head: ObjectHead


class FakeLogStore(Faulty, LogStore):
    """Behaves as S3 does; `argo_retention_tests/contracts/test_log_store.py` holds it to that.

    `store.fail("head", ObjectStoreError("..."), where=lambda call: call["key"] == "a")` lets one call fail;
    `store.exists = False` takes the bucket away.
    """

    def __init__(
        self, *, bucket: str = "logs", now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)
    ) -> None:
        super().__init__()
        self.now = now
        self.exists = True
        self.of_owner = BucketRules(lifecycle=(), keeps_versions=False)
        self.honours_conditions = True  # a second put of one key is refused
        self.objects: dict[str, FakeObject] = {}
        self._bucket = bucket
        self._lock = threading.RLock()

    def add(
        self,
        key: str,
        body: bytes,
        *,
        metadata: Mapping[str, str] | None = None,
        last_modified: datetime | None = None,
    ) -> ObjectHead:
        """Put in an object, over what is there, as another program would."""
        head = ObjectHead(
            size=len(body),
            etag=f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"',
            last_modified=(last_modified or self.now).replace(microsecond=0),
            metadata={name.lower(): value for name, value in (metadata or {}).items()},
        )
        with self._lock:
            self.objects[key] = FakeObject(body=body, head=head)
        return head

    @property
    def bucket(self) -> str:
        return self._bucket

    def rules(self) -> BucketRules:
        return self.of_owner

    def head(self, key: str) -> ObjectHead | None:
        self._ask("head", key)
        found = self.objects.get(key)
        return found.head if found else None

    def put_if_absent(self, key: str, body: bytes, *, metadata: Mapping[str, str]) -> PutResult:
        self._ask("put_if_absent", key)
        with self._lock:
            if key in self.objects and self.honours_conditions:
                return PutResult(created=False)
            return self._put(key, body, metadata)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, metadata: Mapping[str, str]
    ) -> PutResult:
        self._ask("put_stream", key)
        parts = []
        for number, chunk in enumerate(chunks, 1):
            parts.append(chunk)
            self._meet("put_stream", {"key": key}, after=number)
        return self._put(key, b"".join(parts), metadata)

    def delete(self, key: str, *, etag: str) -> ObjectDeletion:
        self._ask("delete", key)
        with self._lock:
            found = self.objects.get(key)
            if found is None:
                return ObjectDeletion.GONE
            if found.head.etag != etag:
                return ObjectDeletion.CHANGED
            del self.objects[key]
            return ObjectDeletion.DELETED

    def get(self, key: str) -> bytes | None:
        self._ask("get", key)
        found = self.objects.get(key)
        return found.body if found else None

    def stream(self, key: str) -> Iterator[bytes]:
        self._ask("stream", key)
        if key not in self.objects:
            raise ObjectStoreError(f"stream {key!r}: it is not there.")
        yield self.objects[key].body

    def keys(self, prefix: str) -> Iterator[str]:
        folder = prefix.strip("/")
        self._meet("keys", {"prefix": prefix})
        self._demand_bucket("keys", prefix)
        below = f"{folder}/" if folder else ""
        yield from sorted(key for key in list(self.objects) if key.startswith(below))

    def server_time(self) -> datetime:
        self._ask("server_time", "argo-retention/clock")
        return self.now.replace(microsecond=0)

    def _put(self, key: str, body: bytes, metadata: Mapping[str, str]) -> PutResult:
        head = self.add(key, body, metadata=metadata)
        digest = hashlib.sha256(body).hexdigest()
        return PutResult(created=True, size=len(body), sha256=digest, etag=head.etag)

    def _ask(self, method: str, key: str) -> None:
        self._meet(method, {"key": key})
        self._demand_bucket(method, key)
        if not {"", ".", ".."}.isdisjoint(key.split("/")):
            raise ObjectStoreError(f"{method} {key!r}: no part of a key may be empty, `.` or `..`.")

    def _demand_bucket(self, method: str, key: str) -> None:
        if not self.exists:
            raise ObjectStoreError(
                f"{method} s3://{self._bucket}/{key}: the bucket does not exist."
            )
