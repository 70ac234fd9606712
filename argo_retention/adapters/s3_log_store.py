"""The log objects of one bucket of S3."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial

from argo_retention.adapters.bucket_rules import read_bucket_rules
from argo_retention.adapters.object_files import ObjectFiles, open_bucket
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.bucket_facts import BucketRules
from argo_retention.core.ports.log_store import LogStore, ObjectDeletion, ObjectHead, PutResult
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.errors import ObjectStoreError

CLOCK_PREFIX = "argo-retention/clock"


class S3LogStore(LogStore):
    """One bucket; made by `open_log_store`."""

    def __init__(
        self, bucket: str, files: ObjectFiles, read_rules: Callable[[], BucketRules] = BucketRules
    ) -> None:
        """Asks nothing yet."""
        self._bucket = bucket
        self._files = files
        self._read_rules = read_rules

    @property
    def bucket(self) -> str:
        """Name of the bucket."""
        return self._bucket

    def head(self, key: str) -> ObjectHead | None:
        """What is there; None for a missing key, which is told apart from a missing bucket."""
        return self._files.head(key)

    def put_if_absent(self, key: str, body: bytes, *, metadata: Mapping[str, str]) -> PutResult:
        """One conditional put; the client tries again after a lost answer, and may so find its own object."""
        etag = self._files.put_if_absent(key, body, metadata)
        if etag is None:
            return PutResult(created=False)
        digest = hashlib.sha256(body).hexdigest()
        return PutResult(created=True, size=len(body), sha256=digest, etag=etag)

    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, metadata: Mapping[str, str]
    ) -> PutResult:
        """Multipart put. S3 takes metadata before the first part, so it cannot hold the sha256."""
        digest = hashlib.sha256()
        size = 0

        def measured() -> Iterator[bytes]:
            nonlocal size
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                yield chunk

        self._files.put_stream(key, measured(), metadata)
        head = self._demand_head(key)
        if head.size != size:
            raise ObjectStoreError(
                f"{self._where(key)}: {size} bytes were put, {head.size} are there.\n"
                "Somebody else writes to this key; the log stays unsettled."
            )
        return PutResult(created=True, size=size, sha256=digest.hexdigest(), etag=head.etag)

    def delete(self, key: str, *, etag: str) -> ObjectDeletion:
        """HEAD, compare, DELETE.

        Whoever overwrites the object within the milliseconds between the two requests loses the new one
        (where the bucket has versions, it stays as an older version).
        """
        head = self._files.head(key, sure=True)
        if head is None:
            return ObjectDeletion.GONE
        if head.etag != etag:
            return ObjectDeletion.CHANGED
        self._files.delete(key)
        return ObjectDeletion.DELETED

    def get(self, key: str) -> bytes | None:
        """The whole object in memory; None where the key is missing."""
        body = self._files.get(key)
        return None if body is None else bytes(body)

    def stream(self, key: str) -> Iterator[bytes]:
        """One GET, read as it is asked for."""
        return self._files.stream(key)

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below a prefix of whole segments, a page at a time."""
        return self._files.keys(prefix)

    def rules(self) -> BucketRules:
        """Two requests, by another client."""
        return self._read_rules()

    def server_time(self) -> datetime:
        """LastModified of a small object that is put and deleted again, in whole seconds."""
        key = f"{CLOCK_PREFIX}/{secrets.token_hex(16)}"
        self._files.put_if_absent(key, b"", {})
        try:
            return self._demand_head(key).last_modified
        finally:
            self._files.delete(key)

    def _demand_head(self, key: str) -> ObjectHead:
        head = self._files.head(key)
        if head is None:
            raise ObjectStoreError(
                f"{self._where(key)}: what was just put is not there.\n"
                "This server does not show a put at once and cannot be used."
            )
        return head

    def _where(self, key: str) -> str:
        return f"HEAD {self._files.place.uri_of(key)} at {self._files.place.endpoint}"


def open_log_store(location: S3Location, credentials: S3Credentials | None) -> S3LogStore:
    """The bucket of a location; None as credentials takes those of the environment. Asks nothing yet.

    Raises ConfigurationError where the location cannot be used.
    """
    files = open_bucket(location, credentials)
    return S3LogStore(location.bucket, files, partial(read_bucket_rules, location, credentials))
