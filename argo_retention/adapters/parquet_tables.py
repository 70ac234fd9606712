"""Snapshots and plans as Parquet files: the only module that imports pyarrow.

Rows are turned into columns and back a column at a time.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from argo_retention.adapters.object_files import ObjectFiles, open_bucket, open_folder
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.ports.table_store import TableStore
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.errors import ConfigurationError, ObjectStoreError

GROUP_ROWS = 5000  # of one row group
READ_ROWS = (
    2000  # of one batch that is read; as Python objects they take ten times their place in the file
)

_STRING = pa.string()
TYPES: Mapping[str, pa.DataType] = {
    "string": _STRING,
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "map": pa.map_(_STRING, _STRING),
    "strings": pa.list_(_STRING),
}


class ParquetTables(TableStore):
    """Parquet files below one URI; made by `open_tables`."""

    def __init__(self, files: ObjectFiles) -> None:
        """Asks nothing yet."""
        self._files = files

    def write(
        self, path: str, schema: Mapping[str, str], batches: Iterable[Sequence[Mapping[str, Any]]]
    ) -> str:
        """Write as the batches come; whole (multipart completed, file renamed) or not at all.

        A row that lacks a column raises KeyError, a value of another type ObjectStoreError.
        """
        self._files.put_stream(path, self._encoded(path, schema, batches), {})
        return self.uri(path)

    def read(self, path: str) -> Iterator[Sequence[dict[str, Any]]]:
        """Batches of rows in the order written; the file is held in memory, compressed as it is."""
        content = self._content(path)
        with self._whole(path):
            for batch in pq.ParquetFile(content).iter_batches(batch_size=READ_ROWS):
                names = batch.schema.names
                columns = [_values(column) for column in batch.columns]
                yield [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def read_arrow(self, path: str) -> pa.Table:
        """The whole file as an Arrow table (for notebooks)."""
        content = self._content(path)
        with self._whole(path):
            return pq.read_table(content)

    def read_bytes(self, path: str) -> bytes | None:
        """One GET."""
        content = self._files.get(path)
        return None if content is None else bytes(content)

    def write_bytes(self, path: str, body: bytes) -> str:
        """One put."""
        return self.write_stream(path, [body])

    def write_stream(self, path: str, pieces: Iterable[bytes]) -> str:
        """Multipart where it is long; a folder's file is renamed when it is whole."""
        self._files.put_stream(path, pieces, {})
        return self.uri(path)

    def read_stream(self, path: str) -> Iterator[bytes]:
        """One GET, read as it is asked for."""
        return self._files.stream(path)

    def uri(self, path: str) -> str:
        """Full address of a file, for people."""
        return self._files.place.uri_of(path)

    def remove(self, path: str) -> None:
        """One DELETE."""
        self._files.delete(path)

    def written(self, prefix: str) -> Mapping[str, datetime]:
        """By listing."""
        return dict(self._files.written(prefix))

    def paths(self, prefix: str) -> Sequence[str]:
        """Paths below a prefix of whole segments, sorted."""
        return sorted(self._files.keys(prefix))

    def _content(self, path: str) -> pa.BufferReader:
        content = self._files.get(path)
        if content is None:
            raise ObjectStoreError(
                f"{self.uri(path)}: this file is not there (any more).\n"
                "Make it again by a new run; a plan without its file is refused."
            )
        return pa.BufferReader(pa.py_buffer(content))

    @contextmanager
    def _whole(self, path: str) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:  # pyarrow's OSError: a page cannot be decoded
            raise ObjectStoreError(
                f"{self.uri(path)}: expected a whole Parquet file: {error}.\nMake it again by a new run."
            ) from error

    def _encoded(
        self, path: str, schema: Mapping[str, str], batches: Iterable[Sequence[Mapping[str, Any]]]
    ) -> Iterator[bytes]:
        """The file's bytes, as far as they are known after each batch."""
        arrow_schema = pa.schema([(name, TYPES[kind]) for name, kind in schema.items()])
        sink = _Sink()
        with pq.ParquetWriter(sink, arrow_schema, compression="zstd") as writer:
            waiting: list[pa.RecordBatch] = []
            for rows in batches:
                if rows:
                    waiting.append(self._record_batch(path, arrow_schema, rows))
                if sum(batch.num_rows for batch in waiting) >= GROUP_ROWS:
                    writer.write_table(pa.Table.from_batches(waiting))
                    waiting = []
                    yield from sink.take()
            if waiting:
                writer.write_table(pa.Table.from_batches(waiting))
        yield from sink.take()

    def _record_batch(
        self, path: str, schema: pa.Schema, rows: Sequence[Mapping[str, Any]]
    ) -> pa.RecordBatch:
        columns = []
        for field in schema:
            values = list(map(itemgetter(field.name), rows))
            try:
                columns.append(_column(values, field.type))
            except (pa.ArrowException, AttributeError, TypeError) as error:
                raise ObjectStoreError(
                    f"{self.uri(path)}: column {field.name} expects {field.type}: {error}."
                ) from error
        return pa.RecordBatch.from_arrays(columns, schema=schema)


def open_tables(
    uri: str,
    *,
    endpoint: str = "",
    region: str = "",
    insecure: bool = False,
    credentials: S3Credentials | None = None,
    make_folder: bool = True,
) -> ParquetTables:
    """Tables below a path, `file:///...` or `s3://bucket/prefix`.

    Endpoint (host:port or a URL; Amazon's if empty), region, insecure (http) and credentials (None: those of
    the environment) are for s3 only. Raises ConfigurationError for another kind of address.
    """
    parts = urlsplit(uri)
    if parts.scheme == "s3" and parts.netloc:
        location = S3Location(
            endpoint=endpoint, bucket=parts.netloc, region=region, insecure=insecure
        )
        return ParquetTables(open_bucket(location, credentials, prefix=unquote(parts.path)))
    if parts.scheme == "file" and parts.netloc in {"", "localhost"}:
        return ParquetTables(open_folder(Path(unquote(parts.path)), make=make_folder))
    if parts.scheme == "" and uri:
        return ParquetTables(open_folder(Path(uri), make=make_folder))
    raise ConfigurationError(
        f"storage.uri: expected s3://bucket/prefix, file:///folder or a path, found {uri!r}."
    )


class _Sink:
    """What the writer has written and nobody has taken yet; as much of a file as pyarrow asks for."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> Iterator[bytes]:
        parts, self._parts = self._parts, []
        yield from parts


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_map(kind):
        return pa.array(values, type=kind)
    offsets: list[int | None] = []
    end = 0
    for value in values:
        offsets.append(None if value is None else end)
        end += len(value or ())
    maps = [value for value in values if value]
    return pa.MapArray.from_arrays(
        pa.array([*offsets, end], type=pa.int32()),
        pa.array(list(chain.from_iterable(maps)), type=_STRING),
        pa.array(list(chain.from_iterable(value.values() for value in maps)), type=_STRING),
    )


def _values(column: pa.Array) -> list[Any]:
    """As `to_pylist`, which takes three times as long for timestamps and maps."""
    if pa.types.is_timestamp(column.type):
        naive = column.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False).astype(object)
        return [None if value is None else value.replace(tzinfo=UTC) for value in naive]
    if pa.types.is_map(column.type):
        keys, items = column.keys.to_pylist(), column.items.to_pylist()
        offsets = column.offsets.to_pylist()
        valid = column.is_valid().to_pylist()
        return [
            dict(zip(keys[start:end], items[start:end], strict=True)) if is_valid else None
            for start, end, is_valid in zip(offsets, offsets[1:], valid, strict=False)
        ]
    values: list[Any] = column.to_pylist()
    return values
