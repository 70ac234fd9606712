"""The archives that the contract runs on, what others do to them, and factories of what is written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
import pytest

from argo_retention.adapters.postgres_archive.archive import PostgresArchive
from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.ledger import Deletion, ExpiryUnit, LeaseGrant, RowWrite
from argo_retention.core.logs import LogRecord, LogReference, LogSource, LogState
from argo_retention.core.ports.archive import Archive
from argo_retention.core.proofs import Facts, ProvenVersion
from argo_retention_tests.fakes.archive import FakeArchive

CLUSTER = "seed"
FINISHED = datetime(2026, 11, 1, 12, tzinfo=UTC)


class ArchiveWorld(Protocol):
    """An archive, and what Argo and other sessions do to its tables."""

    archive: Archive

    def put_row(self, row: ArchiveRow) -> None: ...
    def remove_row(self, clustername: str, uid: str) -> None: ...
    def offload(self, *, clustername: str, uid: str, version: str, nodes: bytes) -> None: ...
    def hold_row(self, clustername: str, uid: str) -> AbstractContextManager[None]: ...
    def labels(self, clustername: str, uid: str) -> Mapping[str, str]: ...


class FakeArchiveWorld:
    def __init__(self) -> None:
        self.archive = FakeArchive()
        self.put_row = self.archive.put_row
        self.remove_row = self.archive.remove_row
        self.offload = self.archive.offload
        self.hold_row = self.archive.hold_row

    def labels(self, clustername: str, uid: str) -> Mapping[str, str]:
        row = self.archive.argo_rows.get((clustername, uid))
        return {} if row is None else dict(row.labels)


class PostgresArchiveWorld:
    """Argo's part is done with Argo's own statements, on another connection."""

    def __init__(self, url: str) -> None:
        self.archive = PostgresArchive(DatabaseTarget.from_url(url), offload_table="argo_workflows")
        self.archive.migrate()
        self.url = url

    def put_row(self, row: ArchiveRow) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "DELETE FROM argo_archived_workflows WHERE clustername = %s AND uid = %s",
                (row.clustername, row.uid),
            )
            connection.execute(
                "INSERT INTO argo_archived_workflows (clustername, instanceid, uid, name, namespace,"
                " phase, startedat, finishedat, creationtimestamp, workflow)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
                (
                    *(row.clustername, row.instanceid, row.uid, row.name, row.namespace, row.phase),
                    *(row.startedat, row.finishedat, row.creationtimestamp, row.workflow.decode()),
                ),
            )
            for name, value in row.labels.items():
                connection.execute(
                    "INSERT INTO argo_archived_workflows_labels VALUES (%s, %s, %s, %s)",
                    (row.clustername, row.uid, name, value),
                )

    def remove_row(self, clustername: str, uid: str) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "DELETE FROM argo_archived_workflows WHERE clustername = %s AND uid = %s",
                (clustername, uid),
            )

    def offload(self, *, clustername: str, uid: str, version: str, nodes: bytes) -> None:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "INSERT INTO argo_workflows (uid, namespace, clustername, version, nodes)"
                " VALUES (%s, 'team-a', %s, %s, %s)",
                (uid, clustername, version, nodes.decode()),
            )

    @contextmanager
    def hold_row(self, clustername: str, uid: str) -> Iterator[None]:
        with psycopg.connect(self.url) as connection:
            connection.execute(
                "SELECT FROM argo_archived_workflows WHERE clustername = %s AND uid = %s FOR UPDATE",
                (clustername, uid),
            )
            yield

    def labels(self, clustername: str, uid: str) -> Mapping[str, str]:
        with psycopg.connect(self.url) as connection:
            return dict(
                connection.execute(
                    "SELECT name, value FROM argo_archived_workflows_labels"
                    " WHERE clustername = %s AND uid = %s",
                    (clustername, uid),
                ).fetchall()
            )


def archive_worlds(request: pytest.FixtureRequest) -> Iterator[ArchiveWorld]:
    """For a fixture with the params "fake" and "postgres"."""
    if request.param == "fake":
        yield FakeArchiveWorld()
        return
    world = PostgresArchiveWorld(request.getfixturevalue("argo_database"))
    yield world
    world.archive.close()


def lease(archive: Archive, *, clustername: str = CLUSTER, instanceid: str = "") -> LeaseGrant:
    return archive.acquire_lease(
        clustername=clustername,
        instanceid=instanceid,
        root_run="run-1",
        host="host-1",
        is_finished=lambda _: False,
    )


def argo_row(uid: str = "u1", **kwargs: Any) -> ArchiveRow:
    """A row with one log artifact; `workflow` (a dict) is merged over its JSON on the first level."""
    version = kwargs.pop("resource_version", 10)
    values: dict[str, Any] = {
        "clustername": CLUSTER,
        "instanceid": "",
        "uid": uid,
        "name": f"hello-{uid}",
        "namespace": "team-a",
        "phase": "Succeeded",
        "startedat": datetime(2026, 11, 1, 11),
        "finishedat": FINISHED.replace(tzinfo=None),
        "creationtimestamp": datetime(2026, 11, 1, 11),
        "labels": {"team": "ml"},
    }
    workflow = kwargs.pop("workflow", {})
    values |= kwargs
    manifest = {
        "metadata": {
            "uid": uid,
            "name": values["name"],
            "resourceVersion": str(version),
            "labels": dict(values["labels"]),
        },
        "spec": {"templates": [{"name": "main"}]},
        "status": status(f"{values['name']}/main.log"),
    }
    text = json.dumps({**manifest, **workflow}).encode()
    return ArchiveRow(**values, workflow=text, resource_version=version)


def status(*keys: str, bucket: str = "logs", finished_at: str = "2026-11-01T12:00:00Z") -> Any:
    nodes = {
        f"node-{number}": {"outputs": {"artifacts": [{"name": "main-logs", "s3": {"key": key}}]}}
        for number, key in enumerate(keys)
    }
    return {
        "finishedAt": finished_at,
        "artifactRepositoryRef": {"artifactRepository": {"s3": {"bucket": bucket}}},
        "nodes": nodes,
    }


def proof(uid: str = "u1", *, resource_version: int = 10, clustername: str = CLUSTER) -> Any:
    return ProvenVersion(
        clustername=clustername,
        uid=uid,
        resource_version=resource_version,
        digest="",
        proven_at=FINISHED,
        facts=Facts(
            phase="Succeeded",
            finished_at=FINISHED,
            ttl_seconds=300,
            template="build",
            artifact_gc_deletes_logs=True,
        ),
        added=("node-0/main",),
    )


def log(uid: str = "u1", **kwargs: Any) -> LogRecord:
    values: dict[str, Any] = {
        "clustername": CLUSTER,
        "namespace": "team-a",
        "workflow": f"hello-{uid}",
        "node_id": "node-0",
        "container": "main",
        "state": LogState.STORED,
        "reason": "",
        "source": LogSource.ARGO,
        "bucket": "logs",
        "key": f"hello-{uid}/main.log",
        "size": 3,
        "etag": '"e"',
        "run_id": "run-1",
        "saved_at": FINISHED,
    }
    return LogRecord(uid=uid, **(values | kwargs))


def reference(uid: str = "u1", key: str = "", bucket: str = "logs") -> LogReference:
    return LogReference(
        bucket=bucket, key=key or f"hello-{uid}/main.log", clustername=CLUSTER, uid=uid
    )


def write(
    uid: str = "u1",
    *,
    expected_digest: str = "",
    logs: Sequence[LogRecord] | None = None,
    references: Sequence[LogReference] | None = None,
    row: ArchiveRow | None = None,
    **kwargs: Any,
) -> RowWrite:
    """Row, proof, one stored log and its reference."""
    row = row or argo_row(uid, **kwargs)
    return RowWrite(
        row=row,
        expected_digest=expected_digest,
        proof=proof(uid, resource_version=row.resource_version),
        logs=[log(uid)] if logs is None else logs,
        references=[reference(uid)] if references is None else references,
    )


def deletion(uid: str = "u1", **kwargs: Any) -> Deletion:
    values: dict[str, Any] = {
        "clustername": CLUSTER,
        "namespace": "team-a",
        "name": f"hello-{uid}",
        "resource_version": 10,
        "rule": "completed",
        "rank": 4,
        "reason": "4th newest of 3 to keep",
        "plan_id": "plan-1",
        "run_id": "run-1",
        "by_whom": "schedule",
        "at": FINISHED,
    }
    return Deletion(uid=uid, **(values | kwargs))


def unit(uid: str = "u1", **kwargs: Any) -> ExpiryUnit:
    values: dict[str, Any] = {
        "clustername": CLUSTER,
        "namespace": "team-a",
        "name": f"hello-{uid}",
        "stage": "intended",
        "reason": "older than 180d",
        "plan_id": "plan-1",
        "run_id": "run-1",
        "digest": "",
    }
    return ExpiryUnit(uid=uid, **(values | kwargs))
