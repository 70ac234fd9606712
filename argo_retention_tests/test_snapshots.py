"""Snapshots as a person in a notebook sees them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from argo_retention.adapters.parquet_tables import open_tables
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention.errors import ConfigurationError, ObjectStoreError
from argo_retention.operations.snapshotting import SNAPSHOT_SCHEMA
from argo_retention.snapshots import COMPARISON_COLUMNS, compare_snapshots, load_snapshot

PATH = "snapshots/prod/run-1.parquet"


def workflow(name: str, **columns: Any) -> dict[str, Any]:
    return {
        "uid": f"uid of {name}",
        "namespace": "team-a",
        "name": name,
        "phase": "Running",
        "finished": False,
        "archiving_status": "",
        "template": "",
        "resource_version": 7,
        "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "deleting": False,
        "labels": {"team": "ml"},
        "annotations": {},
        "finalizers": [],
        "owners": ["Workflow/parent/u-1"],
        **columns,
    }


def snapshot(folder: Path, *rows: dict[str, Any], path: str = PATH) -> pd.DataFrame:
    return load_snapshot(open_tables(str(folder)).write(path, SNAPSHOT_SCHEMA, [rows]))


def test_a_snapshot_has_its_columns_with_plain_values(tmp_path: Path) -> None:
    frame = snapshot(tmp_path, workflow("a"), workflow("b", finalizers=["f"]))

    assert list(frame.columns) == list(SNAPSHOT_SCHEMA)
    assert frame.to_dict("records")[1] == workflow("b", finalizers=["f"])
    assert frame["created_at"].dt.tz is not None


def test_a_path_and_a_uri_give_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = snapshot(tmp_path, workflow("a"), path="run.parquet")
    monkeypatch.chdir(tmp_path)

    for address in ("run.parquet", str(tmp_path / "run.parquet")):
        pd.testing.assert_frame_equal(load_snapshot(address), frame)


def test_a_snapshot_in_s3_is_read_with_keys(s3: S3Server, bucket: str) -> None:
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key)
    tables = open_tables(f"s3://{bucket}/kept", endpoint=s3.endpoint, credentials=keys)
    uri = tables.write(PATH, SNAPSHOT_SCHEMA, [[workflow("a")]])

    frame = load_snapshot(uri, endpoint=s3.endpoint, credentials=keys)

    assert uri == f"s3://{bucket}/kept/{PATH}"
    assert list(frame["name"]) == ["a"]


def test_a_plan_is_loaded_in_the_same_way(tmp_path: Path) -> None:
    rows = [{"uid": "1", "verdict": "keep"}]
    uri = open_tables(str(tmp_path)).write(
        "plans/prod/1.parquet", {"uid": "string", "verdict": "string"}, [rows]
    )

    assert load_snapshot(uri).to_dict("records") == rows


def test_a_snapshot_that_is_not_there_is_an_error_and_makes_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ObjectStoreError, match="none"):
        load_snapshot(str(tmp_path / "none" / "run.parquet"))

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_parquet_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.parquet").write_bytes(b"not a table")

    with pytest.raises(ObjectStoreError, match=r"run\.parquet: expected a whole Parquet file"):
        load_snapshot(str(tmp_path / "run.parquet"))


def test_another_kind_of_address_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="expected s3://"):
        load_snapshot("gs://bucket/run.parquet")


def test_two_snapshots_tell_what_appeared_vanished_and_changed(tmp_path: Path) -> None:
    same = workflow("same")
    before = snapshot(tmp_path, workflow("gone", phase="Failed"), same, workflow("moved"))
    after = snapshot(
        tmp_path,
        workflow("moved", phase="Succeeded", finished=True, labels={}),
        same,
        workflow("new"),
    )

    changes = compare_snapshots(before, after)

    assert list(changes.columns) == list(COMPARISON_COLUMNS)
    assert changes.to_dict("records") == [
        {
            "change": "vanished",
            "namespace": "team-a",
            "name": "gone",
            "uid": "uid of gone",
            "phase_before": "Failed",
            "phase_after": None,
            "changed_columns": [],
        },
        {
            "change": "changed",
            "namespace": "team-a",
            "name": "moved",
            "uid": "uid of moved",
            "phase_before": "Running",
            "phase_after": "Succeeded",
            "changed_columns": ["finished", "labels", "phase"],
        },
        {
            "change": "appeared",
            "namespace": "team-a",
            "name": "new",
            "uid": "uid of new",
            "phase_before": None,
            "phase_after": "Running",
            "changed_columns": [],
        },
    ]


def test_a_name_that_is_used_again_vanished_and_appeared(tmp_path: Path) -> None:
    before = snapshot(tmp_path, workflow("nightly", uid="1"))
    after = snapshot(tmp_path, workflow("nightly", uid="2"))

    changes = compare_snapshots(before, after)

    assert list(zip(changes["change"], changes["uid"], strict=True)) == [
        ("vanished", "1"),
        ("appeared", "2"),
    ]


def test_equal_snapshots_and_empty_ones_have_no_changes(tmp_path: Path) -> None:
    unknown = workflow("a", template=None, created_at=None, resource_version=None)

    for rows in ([], [workflow("a")], [unknown]):
        frame = snapshot(tmp_path, *rows)
        changes = compare_snapshots(frame, snapshot(tmp_path, *rows))
        assert list(changes.columns) == list(COMPARISON_COLUMNS)
        assert changes.empty
