"""Port: the files below `storage.uri`: snapshots and plans as Parquet, and small ones."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any


class TableStore(ABC):
    """Files below `storage.uri`, each written whole or not at all. Raises ObjectStoreError."""

    @abstractmethod
    def write(
        self, path: str, schema: Mapping[str, str], batches: Iterable[Sequence[Mapping[str, Any]]]
    ) -> str:
        """Write rows (column → value) as one file; returns its URI. When `batches` raises, no file is left.

        `schema` maps column to "string", "int64", "bool", "timestamp" (UTC, microseconds), "map" (string to
        string), "strings" (list).
        """

    @abstractmethod
    def read(self, path: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Batches of rows as written. Raises ObjectStoreError when the file is not there."""

    @abstractmethod
    def read_bytes(self, path: str) -> bytes | None:
        """A small file; None where it is not there."""

    @abstractmethod
    def write_bytes(self, path: str, body: bytes) -> str:
        """Write a small file, or replace it; returns its URI."""

    @abstractmethod
    def write_stream(self, path: str, pieces: Iterable[bytes]) -> str:
        """Write a file of any size in bounded memory, or replace it; when `pieces` raises, none is left."""

    @abstractmethod
    def read_stream(self, path: str) -> Iterator[bytes]:
        """The same in pieces. Raises ObjectStoreError when the file is not there."""

    @abstractmethod
    def uri(self, path: str) -> str:
        """Full address of a file, for people."""

    @abstractmethod
    def remove(self, path: str) -> None:
        """Remove a file; nothing happens where it is not there."""

    @abstractmethod
    def written(self, prefix: str) -> Mapping[str, datetime]:
        """Paths of the files below a prefix → when each was written, by the store's clock, UTC."""

    @abstractmethod
    def paths(self, prefix: str) -> Sequence[str]:
        """Paths of the files below a prefix, sorted."""
