"""P1 and P2: whatever is broken, nothing is deleted, and the message says what was found and what to do."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from argo_retention.cli.executing import RunOutcome
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.demo.switch import Switch
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import Servers, World, later, seed_world

ONE_MINUTE = {"archiveTTL: 180d": "archiveTTL: 1m"}


def state(world: World) -> tuple[set[str], set[str], set[tuple[str, str]]]:
    return set(world.live()), set(world.rows()), world.objects()


def read_only(world: World) -> None:
    name = world.dsn.rpartition("/")[2].partition("?")[0]
    world.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')


def unknown_schema(world: World) -> None:
    world.execute("UPDATE schema_history SET schema_version = 99")


def no_schema(world: World) -> None:
    world.execute("DROP TABLE schema_history")


def skewed_clock(world: World) -> None:
    world.ask("POST", "/emulator/clock", {"offset_seconds": 600})


def wrong_password(world: World) -> None:
    path = "/api/v1/namespaces/argo/secrets/argo-postgres-config"
    world.ask("PATCH", path, {"data": {"password": "bm90IGl0"}})


def broken_yaml(world: World) -> None:
    path = "/api/v1/namespaces/argo/configmaps/argo-workflows-workflow-controller-configmap"
    world.ask("PATCH", path, {"data": {"persistence": "archive: [true"}})


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        pytest.param(read_only, ["read-only", "the primary"], id="read-only database"),
        pytest.param(unknown_schema, ["schema_version 99", "use a release"], id="schema version"),
        pytest.param(no_schema, ["schema_history"], id="no schema version"),
        pytest.param(skewed_clock, ["API server", "300 s", "NTP"], id="clock"),
        pytest.param(wrong_password, ["password"], id="wrong password"),
        pytest.param(broken_yaml, ["persistence"], id="broken YAML"),
    ],
)
def test_p1_nothing_is_deleted_when_a_part_is_not_sound(
    new_seed: SeedWorld, breaks: Callable[[World], None], says: list[str]
) -> None:
    world = new_seed(hello_worlds=5, keep_count=2, texts=ONE_MINUTE)
    world.succeed(RETENTION_JOB)
    world.overrides = {"argo": {"retentionPolicy": {"completed": 0}}}
    before = state(world)
    breaks(world)

    outcomes = [world.run(job, clock=later(minutes=2)) for job in (RETENTION_JOB, EXPIRY_JOB)]

    assert state(world) == before
    for outcome in outcomes:
        assert_says(outcome, says)


def assert_says(outcome: RunOutcome, words: list[str]) -> None:
    assert outcome.exit_code in {1, 2}
    missing = [word for word in words if word.lower() not in outcome.failure.lower()]
    assert missing == [], outcome.failure
    assert len(outcome.failure.splitlines()) <= 3, outcome.failure


def test_p1_nothing_is_deleted_when_the_bucket_is_gone(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=5, keep_count=2, texts=ONE_MINUTE)
    world.succeed(RETENTION_JOB)
    world.overrides = {"argo": {"retentionPolicy": {"completed": 0}}}
    remove_bucket(world)

    outcomes = [world.run(job, clock=later(minutes=2)) for job in (RETENTION_JOB, EXPIRY_JOB)]

    assert (len(world.live()), len(world.rows())) == (2, 5)
    for outcome in outcomes:
        assert_says(outcome, [world.scene.buckets[0], "bucket"])


def remove_bucket(world: World) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=world.s3.endpoint,
        aws_access_key_id=world.s3.access_key,
        aws_secret_access_key=world.s3.secret_key,
        region_name="us-east-1",
    )
    for key in list(world.files().keys("")):
        world.files().delete(key)
    client.delete_bucket(Bucket=world.scene.buckets[0])


@contextlib.contextmanager
def behind_switch(
    servers: Servers, folder: Path, part: str, **options: Any
) -> Iterator[tuple[World, Callable[[], None]]]:
    """A seed whose S3, database or API server is behind a door, and what shuts the door."""
    with contextlib.ExitStack() as stack:
        if part == "api":
            world = stack.enter_context(seed_world(servers, folder, **options))
            port = world.url.rpartition(":")[2]
            switch = stack.enter_context(Switch(int(port)))
            kubeconfig = world.kubeconfig.read_text()
            world.kubeconfig.write_text(kubeconfig.replace(f":{port}", f":{switch.port}"))
        else:
            s3, db = int(servers.s3.endpoint.rpartition(":")[2]), servers.postgres.port
            switch = stack.enter_context(Switch(db if part == "db" else s3))
            options[f"{part}_port"] = switch.port
            world = stack.enter_context(seed_world(servers, folder, **options))
        yield world, switch.shut


@pytest.mark.parametrize("job", [RETENTION_JOB, EXPIRY_JOB])
@pytest.mark.parametrize("part", ["s3", "db", "api"])
def test_p1_nothing_is_deleted_when_a_part_fails_from_the_snapshot_on(
    servers: Servers, tmp_path: Path, part: str, job: str
) -> None:
    with behind_switch(servers, tmp_path, part, hello_worlds=5, keep_count=2, texts=ONE_MINUTE) as (
        world,
        shut,
    ):
        world.succeed(RETENTION_JOB)
        world.overrides = {"argo": {"retentionPolicy": {"completed": 0}}}
        before = state(world)

        def progress(stage: str, done: int, total: int | None) -> None:
            if stage == "snapshot" and done == total:
                shut()

        outcome = world.run(job, progress=progress, clock=later(minutes=2))

        assert state(world) == before
        assert not outcome.success
        assert outcome.failure
