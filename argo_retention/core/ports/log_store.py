"""Port: one bucket of S3 with log objects."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from argo_retention.core.bucket_facts import BucketRules


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectHead:
    """What HEAD says of one object."""

    size: int
    etag: str
    last_modified: datetime  # UTC
    metadata: Mapping[str, str]  # user metadata, lower-case keys


@dataclass(frozen=True, slots=True, kw_only=True)
class PutResult:
    """Answer to a conditional put; `created` is False where the key was taken (412), nothing was written."""

    created: bool
    size: int = 0
    sha256: str = ""
    etag: str = ""


class ObjectDeletion(StrEnum):
    """What became of an object that should be deleted."""

    DELETED = "deleted"
    GONE = "gone"  #: was not there
    CHANGED = "changed"  #: another ETag than the recorded one; kept


class LogStore(ABC):
    """One bucket of S3. Raises ObjectStoreError."""

    @property
    @abstractmethod
    def bucket(self) -> str:
        """Name of the bucket."""

    @abstractmethod
    def head(self, key: str) -> ObjectHead | None:
        """What is there; None for 404 of the key. A missing bucket is an error, never None."""

    @abstractmethod
    def put_if_absent(self, key: str, body: bytes, *, metadata: Mapping[str, str]) -> PutResult:
        """Put with If-None-Match: *; the result says whether the key was free."""

    @abstractmethod
    def put_stream(
        self, key: str, chunks: Iterable[bytes], *, metadata: Mapping[str, str]
    ) -> PutResult:
        """Multipart put of a stream of unknown length, in bounded memory; only for keys that hold our uid.

        When `chunks` raises, nothing is left under the key and the error goes on.
        """

    @abstractmethod
    def delete(self, key: str, *, etag: str) -> ObjectDeletion:
        """Delete the object if its ETag is still this one."""

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """The whole object (people look at logs in `explain`); None for 404."""

    @abstractmethod
    def stream(self, key: str) -> Iterator[bytes]:
        """The whole object in pieces, in bounded memory. Raises ObjectStoreError where it is not there."""

    @abstractmethod
    def keys(self, prefix: str) -> Iterator[str]:
        """All keys below a prefix."""

    @abstractmethod
    def rules(self) -> BucketRules:
        """Lifecycle rules and versions, as far as they may be read; never raises."""

    @abstractmethod
    def server_time(self) -> datetime:
        """The S3 server's clock, UTC, as far as it can be had: LastModified of a small object just put."""
