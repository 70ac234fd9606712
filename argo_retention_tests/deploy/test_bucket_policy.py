"""`deploy/bucket-policy.json` against what whole runs ask of S3: each request is allowed, each action is used."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.operations import saving_logs
from argo_retention_tests.e2e.conftest import Cli
from argo_retention_tests.e2e.worlds import Servers, later, seed_world
from argo_retention_tests.wire.http_wire import HttpWire, s3_refusal

POLICY = json.loads((Path(__file__).parents[2] / "deploy" / "bucket-policy.json").read_text())
#: Allowed for the case that a put of many parts is given up.
NOT_IN_GOOD_RUNS = {("object", "s3:AbortMultipartUpload")}


def action(method: str, target: str) -> tuple[str, str]:
    """(bucket or object, IAM's name) of a request, path style; facts of S3's service authorization reference."""
    parts = urlsplit(target)
    query = parse_qs(parts.query, keep_blank_values=True)
    key = parts.path.strip("/").partition("/")[2]
    if not key:
        names = {"lifecycle": "GetLifecycleConfiguration", "versioning": "GetBucketVersioning"}
        [name] = [names[each] for each in query if each in names] or ["ListBucket"]
        if method == "POST" and "delete" in query:
            return "object", "s3:DeleteObject"
        assert method in {"GET", "HEAD"}, f"{method} {target}"
        return "bucket", f"s3:{name}"
    if method == "DELETE":
        return "object", "s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject"
    names = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}
    return "object", f"s3:{names[method]}"


def allowed() -> set[tuple[str, str]]:
    return {
        ("object" if resource.endswith("/*") else "bucket", name)
        for statement in POLICY["Statement"]
        for name in statement["Action"]
        for resource in statement["Resource"]
    }


def test_it_allows_what_is_asked_for_and_nothing_else(
    servers: Servers, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saving_logs, "ONE_PUT_LIMIT", 1)  # each log is a long one, of several parts
    asked: list[tuple[str, str]] = []

    def note(method: str, target: str, *_: Any) -> None:
        asked.append(action(method, target))

    with HttpWire(servers.s3_address.endpoint, refusal=s3_refusal) as wire:
        wire.instead = note
        options: dict[str, Any] = {
            "texts": {"archiveTTL: 180d": "archiveTTL: 1m"},
            "expiry": {"undo": "7d", "undo_logs": True},
            "retention": {"mode": "apply", "proof_age": 0},
        }
        with seed_world(servers, tmp_path, s3_port=wire.port, **options) as world:
            world.succeed(RETENTION_JOB)
            world.succeed(EXPIRY_JOB, clock=later(minutes=2))
            cli(world, "doctor")
            cli(world, "undo", "list")

    assert set(asked) == allowed() - NOT_IN_GOOD_RUNS
