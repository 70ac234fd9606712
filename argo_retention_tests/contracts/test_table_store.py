"""What each `TableStore` promises, on the fake, on a folder and on a real S3."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argo_retention.adapters.parquet_tables import open_tables
from argo_retention.core.ports.table_store import TableStore
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention.errors import ClusterError, ObjectStoreError
from argo_retention_tests.fakes.table_store import FakeTableStore

PATH = "snapshots/prod/run-1.parquet"
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
    "rank": 2**62,
    "finished": True,
    "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "labels": {"workflows.argoproj.io/phase": "Succeeded", "team": "ü"},
    "owners": ["Workflow/p/u-1", ""],
}
NOTHING = dict.fromkeys(SCHEMA)
text = st.text(st.characters(codec="utf-8"), max_size=5)
rows = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.none() | text,
            "rank": st.none() | st.integers(-(2**63), 2**63 - 1),
            "finished": st.none() | st.booleans(),
            "at": st.none()
            | st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)),
            "labels": st.none() | st.dictionaries(text, text, max_size=3),
            "owners": st.none() | st.lists(text, max_size=3),
        }
    ),
    max_size=5,
)


@pytest.fixture(params=["fake", "folder", "s3"])
def tables(request: pytest.FixtureRequest, tmp_path: Path) -> TableStore:
    if request.param == "fake":
        return FakeTableStore()
    if request.param == "folder":
        return open_tables(tmp_path.as_uri())
    server: S3Server = request.getfixturevalue("s3")
    return open_tables(
        f"s3://{request.getfixturevalue('bucket')}/argo-retention/tables",
        endpoint=server.endpoint,
        credentials=S3Credentials(access_key=server.access_key, secret_key=server.secret_key),
    )


def read(tables: TableStore, path: str = PATH) -> list[dict[str, Any]]:
    return [row for batch in tables.read(path) for row in batch]


def test_rows_come_back_as_they_were_in_their_order(tables: TableStore) -> None:
    batches = [[{**ROW, "rank": rank} for rank in range(at, at + 3)] for at in (0, 3, 6)]

    tables.write(PATH, SCHEMA, [batches[0], [], *batches[1:]])

    assert read(tables) == [row for batch in batches for row in batch]


def test_each_value_may_be_absent(tables: TableStore) -> None:
    tables.write(PATH, SCHEMA, [[ROW, NOTHING, {**ROW, "labels": {}, "owners": []}]])

    assert read(tables) == [ROW, NOTHING, {**ROW, "labels": {}, "owners": []}]


@given(st.lists(rows, max_size=3))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_whatever_is_written_is_read(
    tables: TableStore, batches: list[list[dict[str, Any]]]
) -> None:
    tables.write(PATH, SCHEMA, batches)

    assert read(tables) == [row for batch in batches for row in batch]


def test_times_come_back_in_utc(tables: TableStore) -> None:
    zone = timezone(timedelta(hours=2))
    tables.write(PATH, {"at": "timestamp"}, [[{"at": datetime(2026, 1, 1, 2, tzinfo=zone)}]])

    [row] = read(tables)

    assert row["at"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert row["at"].utcoffset() == timedelta(0)


def test_a_table_without_rows_is_a_file_without_rows(tables: TableStore) -> None:
    tables.write(PATH, SCHEMA, [])

    assert read(tables) == []
    assert tables.paths("") == [PATH]


@pytest.mark.parametrize("error", [ClusterError("cut"), ValueError("cut")], ids=repr)
def test_an_incomplete_table_is_no_file(tables: TableStore, error: Exception) -> None:
    def batches() -> Iterator[Sequence[Mapping[str, Any]]]:
        for _ in range(5):
            yield [ROW] * 10_000
        raise error

    with pytest.raises(type(error)) as caught:
        tables.write(PATH, SCHEMA, batches())

    assert caught.value is error
    assert tables.paths("") == []


def test_a_value_of_another_type_is_refused_and_leaves_no_file(tables: TableStore) -> None:
    with pytest.raises(ObjectStoreError, match="rank"):
        tables.write(PATH, SCHEMA, [[ROW, {**ROW, "rank": "first"}]])

    assert tables.paths("") == []


def test_a_missing_file_is_an_error_with_its_address(tables: TableStore) -> None:
    tables.write(PATH, SCHEMA, [[ROW]])

    with pytest.raises(ObjectStoreError, match=r"plans/none\.parquet"):
        read(tables, "plans/none.parquet")


def test_written_again_it_is_replaced(tables: TableStore) -> None:
    tables.write(PATH, SCHEMA, [[ROW, ROW]])

    tables.write(PATH, SCHEMA, [[ROW]])

    assert read(tables) == [ROW]


def test_paths_are_listed_below_a_prefix_sorted(tables: TableStore) -> None:
    for path in ("snapshots/b/2.parquet", "snapshots/b/1.parquet", "plans/b/1.parquet"):
        address = tables.write(path, SCHEMA, [[ROW]])
        assert address == tables.uri(path)
        assert address.endswith(f"/{path}")

    assert tables.paths("snapshots/b") == ["snapshots/b/1.parquet", "snapshots/b/2.parquet"]
    assert len(tables.paths("")) == 3
    assert tables.paths("none") == []


def test_a_table_may_be_made_from_another_while_that_is_read(tables: TableStore) -> None:
    tables.write(PATH, SCHEMA, [[ROW, ROW]])

    tables.write("plans/prod/1.parquet", SCHEMA, tables.read(PATH))

    assert read(tables, "plans/prod/1.parquet") == [ROW, ROW]


def test_a_small_file_is_replaced_and_a_missing_one_is_none(tables: TableStore) -> None:
    assert tables.read_bytes("identity.json") is None

    address = tables.write_bytes("identity.json", b"one")
    tables.write_bytes("identity.json", b"two\x00\xff")

    assert tables.read_bytes("identity.json") == b"two\x00\xff"
    assert address == tables.uri("identity.json")
    assert tables.paths("") == ["identity.json"]


def test_files_are_removed_and_tell_when_they_were_written(tables: TableStore) -> None:
    tables.write_bytes("audit/prod/1.ndjson.gz", b"{}")
    tables.write(PATH, SCHEMA, [[ROW]])

    written = tables.written("")

    assert sorted(written) == ["audit/prod/1.ndjson.gz", PATH]
    assert all(moment.utcoffset() == timedelta(0) for moment in written.values())
    tables.remove(PATH)
    tables.remove(PATH)
    assert list(tables.written("")) == ["audit/prod/1.ndjson.gz"]
    assert tables.written("audit/prod").keys() == {"audit/prod/1.ndjson.gz"}


def test_a_file_of_any_bytes_is_written_and_read_in_pieces(tables: TableStore) -> None:
    pieces = [b"a" * 3_000_000, b"", b"b" * 3_000_000]

    tables.write_stream("undo/prod/log-1", pieces)

    assert b"".join(tables.read_stream("undo/prod/log-1")) == b"".join(pieces)


def test_of_pieces_that_fail_no_file_is_left(tables: TableStore) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise ClusterError("gone")

    with pytest.raises(ClusterError):
        tables.write_stream("undo/prod/log-1", pieces())

    assert tables.paths("undo") == []
    with pytest.raises(ObjectStoreError):
        list(tables.read_stream("undo/prod/log-1"))
