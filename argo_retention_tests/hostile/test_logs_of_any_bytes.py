"""Logs are bytes: whatever a container prints is stored as it is, in bounded memory, however long."""

import contextlib
import gzip
import hashlib
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from argo_retention.adapters.s3_log_store import open_log_store
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.logs import LogState
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.s3_server import S3Server
from argo_retention_tests.operations.at_work import AtWork

BODIES = {
    "no newline": b"x" * 70_000,
    "invalid UTF-8": b"\xff\xfe\x80ok\xc3\x28\n",
    "gzip": gzip.compress(b"line\n" * 1000),
    "NUL": b"\x00" * 4096,
    "carriage returns": b"10%\r20%\r100%\r\n",
    "ANSI": b"\x1b[2J\x1b[31mred\x1b[0m\n",
    "UTF-16": "line\n".encode("utf-16"),
    "empty": b"",
    "a refusal in the middle": b"ok\nunable to retrieve container logs for containerd://x\n",
    "just above one put": b"y" * (2 * 1024 * 1024 + 1),
}
GIBIBYTE = 1024**3


@pytest.fixture(scope="module")
def bucket(s3: S3Server) -> str:
    s3.create_bucket("hostile-logs")
    return "hostile-logs"


def on_real_s3(s3: S3Server, bucket: str) -> tuple[AtWork, Any]:
    work = AtWork()
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key, session_token=None)
    store = open_log_store(S3Location(endpoint=s3.endpoint, bucket=bucket), keys)
    work.site.log_stores._open_store = lambda *_: store  # type: ignore[method-assign]
    return work, store


@pytest.mark.parametrize("body", list(BODIES.values()), ids=list(BODIES))
def test_p5_any_bytes_are_stored_as_they_are(s3: S3Server, bucket: str, body: bytes) -> None:
    work, store = on_real_s3(s3, bucket)
    one = work.run(f"w{hashlib.sha256(body).hexdigest()[:12]}", log=body)

    work.archived()

    record = work.log_of(one)
    assert record.state is LogState.STORED, record.reason
    assert store.get(record.key) == body
    assert record.sha256 == hashlib.sha256(body).hexdigest()


@pytest.mark.timeout(400)
def test_a_log_of_a_gibibyte_in_one_line_costs_no_memory(s3: S3Server, bucket: str) -> None:
    work, store = on_real_s3(s3, bucket)
    one = work.run("gibibyte")
    piece = b"z" * 65536

    @contextlib.contextmanager
    def endless(**_: Any) -> Iterator[Iterator[bytes]]:
        yield (piece for _ in range(GIBIBYTE // len(piece)))

    work.cluster.open_pod_log = endless  # type: ignore[method-assign, assignment]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    work.archived()

    record = work.log_of(one)
    assert (record.state, record.size) == (LogState.STORED, GIBIBYTE)
    assert store.head(record.key).size == GIBIBYTE
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 200, f"{grown:.0f} MB"
    store.delete(record.key, etag=record.etag)
