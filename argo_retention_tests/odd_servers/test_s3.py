"""S3 that lies or is short: what the product does is in docs/promises.md, by these tests."""

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import boto3
import pytest

from argo_retention.adapters.bucket_rules import read_bucket_rules
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.bucket_facts import BucketRules, LifecycleRule
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import Servers, World, credentials_of, seed_world
from argo_retention_tests.wire.http_wire import HttpFault, HttpWire, s3_refusal

MakeWorld = Callable[..., tuple[World, HttpWire]]


@pytest.fixture
def behind(servers: Servers, tmp_path: Path) -> Iterator[MakeWorld]:
    """A small seed whose bucket is reached by a wire."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> tuple[World, HttpWire]:
            wire = stack.enter_context(HttpWire(servers.s3_address.endpoint, refusal=s3_refusal))
            given = {"retention": {"mode": "apply", "proof_age": 0}, **options}
            return stack.enter_context(
                seed_world(servers, tmp_path, s3_port=wire.port, **given)
            ), wire

        yield make


def owner_of(world: World) -> Any:
    """The client of whoever owns the bucket."""
    return boto3.client(
        "s3",
        endpoint_url=world.s3.endpoint,
        aws_access_key_id=world.s3.access_key,
        aws_secret_access_key=world.s3.secret_key,
        region_name="us-east-1",
    )


def rules_of(world: World, **given: Any) -> BucketRules:
    location = S3Location(endpoint=world.s3.endpoint, bucket=world.scene.buckets[0], **given)
    return read_bucket_rules(location, credentials_of(world.s3))


def test_p4_one_that_ignores_if_none_match_gets_keys_with_the_uid_only(behind: MakeWorld) -> None:
    world, wire = behind()
    owner = owner_of(world)

    def put_regardless(method: str, path: str, headers: Any, body: bytes) -> dict[str, str] | None:
        if method != "PUT" or "if-none-match" not in headers:
            return None
        bucket, _, key = unquote(path.partition("?")[0]).lstrip("/").partition("/")
        meta = {
            name.lower().removeprefix("x-amz-meta-"): value
            for name, value in headers.items()
            if name.lower().startswith("x-amz-meta-")
        }
        put = owner.put_object(Bucket=bucket, Key=key, Body=body, Metadata=meta)
        return {"ETag": put["ETag"]}

    wire.instead = put_regardless
    name = next(iter(world.live().values()))["metadata"]["name"]
    theirs = f"{name}/{name}/main.log"
    world.files().put_stream(theirs, [b"the log of another workflow of this name\n"], {})

    world.succeed(RETENTION_JOB)

    keys = {record["key"]: record["uid"] for record in world.ledger("log_objects")}
    assert len(keys) == 6
    assert all(uid in key for key, uid in keys.items())
    assert (
        world.body(world.scene.buckets[0], theirs) == b"the log of another workflow of this name\n"
    )
    assert (len(world.live()), len(world.rows())) == (2, 6)
    findings = Oracle(world).look()
    assert [each for each in findings.orphan if theirs not in each] == []
    assert (findings.lost, findings.half, findings.unexplained) == ([], [], [])


def test_p1_one_that_answers_200_with_an_error_keeps_the_workflow(behind: MakeWorld) -> None:
    world, wire = behind()
    wire.faults.append(
        HttpFault(kind="status", method="PUT", path="hello-world", status=200, times=99)
    )

    outcome = world.run(RETENTION_JOB)

    assert len(world.live()) == 6, outcome
    assert {record["state"] for record in world.ledger("log_objects")} == {"unsettled"}
    wire.mend()
    world.succeed(RETENTION_JOB)
    assert (len(world.live()), len(world.rows())) == (2, 6)
    assert Oracle(world).look() == NOTHING


def test_p3_one_that_lists_late_changes_nothing(behind: MakeWorld) -> None:
    """What is deleted is decided by the ledger and by HEAD of each object, never by a list of the bucket."""
    world, wire = behind(texts={"archiveTTL: 180d": "archiveTTL: 1h"})
    wire.faults.append(HttpFault(kind="empty_list", method="GET", path="list-type=2", times=10**6))

    world.succeed(RETENTION_JOB)
    world.succeed(EXPIRY_JOB)

    live = world.live()
    assert set(world.rows()) == set(live)
    assert len(world.objects()) == len(live)
    assert Oracle(world).look() == NOTHING


def test_p3_a_rule_shorter_than_the_ttl_fails_a_check_of_the_run(behind: MakeWorld) -> None:
    world, _ = behind()
    bucket = world.scene.buckets[0]
    assert rules_of(world) == BucketRules(lifecycle=[], keeps_versions=False)
    assert world.succeed(RETENTION_JOB).failed_checks == ()
    rules = [
        {"ID": "short", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}},
        {"ID": "off", "Status": "Disabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}},
    ]
    owner_of(world).put_bucket_lifecycle_configuration(
        Bucket=bucket, LifecycleConfiguration={"Rules": rules}
    )

    outcome = world.succeed(RETENTION_JOB)

    assert rules_of(world).lifecycle == [LifecycleRule(name="short", prefix="", days=30)]
    assert outcome.failed_checks == ("no_lifecycle_rule_ends_logs_before_their_rows",)


def test_rules_that_may_not_be_read_are_not_taken_for_none(behind: MakeWorld) -> None:
    world, wire = behind()
    wire.faults.append(HttpFault(kind="status", path="lifecycle", status=501, times=99))
    wire.faults.append(HttpFault(kind="status", path="versioning", status=403, times=99))
    location = S3Location(endpoint=f"http://127.0.0.1:{wire.port}", bucket=world.scene.buckets[0])

    assert read_bucket_rules(location, credentials_of(world.s3)) == BucketRules()

    nowhere = S3Location(endpoint="http://127.0.0.1:1", bucket="bucket")
    assert read_bucket_rules(nowhere, credentials_of(world.s3)) == BucketRules()


def test_p3_in_a_bucket_with_versions_logs_expire_and_can_be_had_again(behind: MakeWorld) -> None:
    world, _ = behind(texts={"archiveTTL: 180d": "archiveTTL: 1h"})
    bucket = world.scene.buckets[0]
    owner = owner_of(world)
    owner.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})

    world.succeed(RETENTION_JOB)
    world.succeed(EXPIRY_JOB)

    assert set(world.rows()) == set(world.live())
    assert len(world.objects()) == len(world.live())
    assert rules_of(world).keeps_versions
    listed = owner.list_object_versions(Bucket=bucket, Prefix="hello-world")
    older = [each for each in listed.get("Versions", ()) if not each["IsLatest"]]
    assert len(older) >= 4, json.dumps(listed, default=str)[:500]
