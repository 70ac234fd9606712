"""Tables in memory, typed as the real ones, with faults and hooks for each operation and path."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from argo_retention.core.ports.table_store import TableStore
from argo_retention.errors import ObjectStoreError
from argo_retention_tests.fakes.faults import Faulty


def _all_text(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


FITS: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "int64": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "timestamp": lambda value: isinstance(value, datetime) and value.tzinfo is not None,
    "map": lambda value: isinstance(value, Mapping) and _all_text([*value, *value.values()]),
    "strings": lambda value: isinstance(value, list | tuple) and _all_text(value),
}


class FakeTableStore(Faulty, TableStore):
    """Behaves as the real one; `argo_retention_tests/contracts/test_table_store.py` holds it to that."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, list[dict[str, Any]]] = {}
        self.small: dict[str, bytes] = {}
        self.now = datetime(2026, 6, 15, 12, tzinfo=UTC)
        self._written: dict[str, datetime] = {}

    def write(
        self, path: str, schema: Mapping[str, str], batches: Iterable[Sequence[Mapping[str, Any]]]
    ) -> str:
        self._meet("write", {"path": path})
        rows = []
        for number, batch in enumerate(batches, 1):
            rows += [self._row(path, schema, row) for row in batch]
            self._meet("write", {"path": path}, after=number)
        self.files[path] = rows
        self._written[path] = self.now
        return self.uri(path)

    def read(self, path: str) -> Iterator[Sequence[dict[str, Any]]]:
        self._meet("read", {"path": path})
        if path not in self.files:
            raise ObjectStoreError(f"{self.uri(path)}: this file is not there (any more).")
        if self.files[path]:
            yield deepcopy(self.files[path])

    def read_bytes(self, path: str) -> bytes | None:
        self._meet("read_bytes", {"path": path})
        return self.small.get(path)

    def write_bytes(self, path: str, body: bytes) -> str:
        self._meet("write_bytes", {"path": path})
        self.small[path] = body
        self._written[path] = self.now
        return self.uri(path)

    def write_stream(self, path: str, pieces: Iterable[bytes]) -> str:
        self._meet("write_stream", {"path": path})
        return self.write_bytes(path, b"".join(pieces))

    def read_stream(self, path: str) -> Iterator[bytes]:
        body = self.read_bytes(path)
        if body is None:
            raise ObjectStoreError(f"{self.uri(path)}: this file is not there (any more).")
        yield body

    def uri(self, path: str) -> str:
        return f"memory://tables/{path}"

    def remove(self, path: str) -> None:
        self._meet("remove", {"path": path})
        self.files.pop(path, None)
        self.small.pop(path, None)

    def written(self, prefix: str) -> Mapping[str, datetime]:
        return {path: self._written[path] for path in self.paths(prefix)}

    def paths(self, prefix: str) -> Sequence[str]:
        self._meet("paths", {"prefix": prefix})
        folder = prefix.strip("/")
        return sorted(
            path
            for path in (*self.files, *self.small)
            if path.startswith(f"{folder}/" if folder else "")
        )

    def _row(self, path: str, schema: Mapping[str, str], row: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(path, name, kind, row[name]) for name, kind in schema.items()}

    def _value(self, path: str, name: str, kind: str, value: Any) -> Any:
        if value is None:
            return None
        if not FITS[kind](value):
            raise ObjectStoreError(
                f"{self.uri(path)}: column {name} expects {kind}, found {value!r}."
            )
        if kind == "timestamp":
            return value.astimezone(UTC)
        return {"map": dict, "strings": list}.get(kind, lambda same: same)(value)
