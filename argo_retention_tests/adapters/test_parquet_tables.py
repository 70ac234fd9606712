"""Tables as Parquet files: what the contract of the port does not say."""

import os
import tracemalloc
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from argo_retention.adapters.parquet_tables import GROUP_ROWS, open_tables
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention.errors import ConfigurationError, ObjectStoreError

SCHEMA = {
    "name": "string",
    "rank": "int64",
    "finished": "bool",
    "at": "timestamp",
    "labels": "map",
    "owners": "strings",
}
ROW: Mapping[str, Any] = {
    "name": "hello-world-x",
    "rank": 1,
    "finished": True,
    "at": datetime(2026, 1, 2, tzinfo=UTC),
    "labels": {"team": "ml"},
    "owners": ["Workflow/p/u"],
}


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_other_programs_see_the_types(tmp_path: Path) -> None:
    open_tables(str(tmp_path)).write("t.parquet", SCHEMA, [[ROW]])

    schema = pq.read_schema(tmp_path / "t.parquet")

    assert {field.name: str(field.type) for field in schema} == {
        "name": "string",
        "rank": "int64",
        "finished": "bool",
        "at": "timestamp[us, tz=UTC]",
        "labels": "map<string, string ('labels')>",
        "owners": "list<element: string>",
    }


def test_small_batches_are_gathered_to_few_groups(tmp_path: Path) -> None:
    open_tables(str(tmp_path)).write("t.parquet", SCHEMA, ([ROW] * 500 for _ in range(100)))

    metadata = pq.read_metadata(tmp_path / "t.parquet")

    assert metadata.num_rows == 50_000
    assert metadata.num_row_groups == -(-50_000 // GROUP_ROWS)


def test_many_rows_are_written_and_read_in_bounded_memory(tmp_path: Path) -> None:
    """What Python holds at once is about one group, not the table."""

    schema = {"name": "string", "rank": "int64"}

    def batches(count: int) -> Iterator[Sequence[Mapping[str, Any]]]:
        for start in range(0, count, 500):
            yield [{"name": "n", "rank": rank} for rank in range(start, start + 500)]

    tables = open_tables(str(tmp_path))
    peaks = []
    for count in (2 * GROUP_ROWS, 5 * GROUP_ROWS):
        tracemalloc.start()
        tables.write("t.parquet", schema, batches(count))
        total = sum(len(batch) for batch in tables.read("t.parquet"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert total == count

    assert peaks[1] < 1.5 * peaks[0]


@pytest.mark.parametrize("address", ["file://{}", "file://localhost{}", "{}"])
def test_a_folder_is_made_by_path_or_by_uri(tmp_path: Path, address: str) -> None:
    folder = tmp_path / "a folder" / "ü"
    quoted = folder.as_uri().removeprefix("file://") if "file" in address else str(folder)

    uri = open_tables(address.format(quoted)).write("a/t.parquet", SCHEMA, [[ROW]])

    assert files_below(folder) == ["a/t.parquet"]
    assert uri == f"{folder.as_uri()}/a/t.parquet"


def test_a_file_is_seen_only_when_it_is_whole(tmp_path: Path) -> None:
    tables = open_tables(str(tmp_path))
    seen: list[Sequence[str]] = []

    def batches() -> Iterator[Sequence[Mapping[str, Any]]]:
        for _ in range(3):
            yield [{**ROW, "name": os.urandom(64).hex()} for _ in range(GROUP_ROWS)]
            seen.append(tables.paths(""))

    tables.write("t.parquet", SCHEMA, batches())

    assert seen == [[], [], []]
    assert files_below(tmp_path) == ["t.parquet"]


def test_a_table_in_s3_that_breaks_leaves_no_parts(s3: S3Server, bucket: str) -> None:
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key)
    tables = open_tables(f"s3://{bucket}/kept/", endpoint=s3.endpoint, credentials=keys)

    def batches() -> Iterator[Sequence[Mapping[str, Any]]]:
        for _ in range(4):
            yield [{**ROW, "name": os.urandom(64).hex()} for _ in range(GROUP_ROWS)]
        raise RuntimeError

    with pytest.raises(RuntimeError):
        tables.write("t.parquet", SCHEMA, batches())

    assert tables.paths("") == []
    assert tables.uri("t.parquet") == f"s3://{bucket}/kept/t.parquet"


def test_a_place_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(ObjectStoreError, match="taken"):
        open_tables(str(tmp_path / "taken")).write("t.parquet", SCHEMA, [[ROW]])


def test_a_bucket_that_is_not_there_is_named(s3: S3Server) -> None:
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key)
    tables = open_tables("s3://nowhere/kept", endpoint=s3.endpoint, credentials=keys)

    for ask in (
        lambda: tables.write("t.parquet", SCHEMA, [[ROW]]),
        lambda: list(tables.read("t.parquet")),
        lambda: tables.paths(""),
    ):
        with pytest.raises(ObjectStoreError, match=r"nowhere.*the bucket does not exist"):
            ask()


@pytest.mark.parametrize("uri", ["", "gs://bucket", "s3:///prefix", "file://host/folder"])
def test_an_address_of_another_kind_is_a_mistake_in_the_configuration(uri: str) -> None:
    with pytest.raises(ConfigurationError, match="expected s3://bucket/prefix"):
        open_tables(uri)


def test_a_file_that_was_cut_is_named(tmp_path: Path) -> None:
    tables = open_tables(str(tmp_path))
    tables.write("t.parquet", SCHEMA, [[ROW] * 1000])
    path = tmp_path / "t.parquet"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(ObjectStoreError, match=r"t\.parquet: expected a whole Parquet file"):
        list(tables.read("t.parquet"))


def test_a_file_with_damaged_pages_is_named(tmp_path: Path) -> None:
    tables = open_tables(str(tmp_path))
    tables.write("t.parquet", SCHEMA, [[{**ROW, "name": f"n-{rank}"} for rank in range(1000)]])
    path = tmp_path / "t.parquet"
    content = bytearray(path.read_bytes())
    content[4:400] = bytes(396)
    path.write_bytes(content)

    with pytest.raises(ObjectStoreError, match=r"t\.parquet: expected a whole Parquet file"):
        list(tables.read("t.parquet"))
    with pytest.raises(ObjectStoreError, match=r"t\.parquet: expected a whole Parquet file"):
        tables.read_arrow("t.parquet")
