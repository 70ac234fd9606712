"""P7: killed at any effect on the outside, alone or twice in a row, a run leaves nothing that the next does not finish."""

import gzip
import inspect
import json
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from argo_retention.core.ports.archive import Archive
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.ports.log_store import LogStore
from argo_retention.core.ports.table_store import TableStore
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.crashing import dies
from argo_retention_tests.e2e.oracle import LEFT, NOTHING, Oracle
from argo_retention_tests.e2e.worlds import OUR_FILES, World, later
from argo_retention_tests.faults.points import EFFECTS, LEFT_OUT, Place, places

PAIRS = 16
PORTS = {"archive": Archive, "cluster": Cluster, "bucket": LogStore, "tables": TableStore}
#: Methods of the ports without a lease's grant that change something.
WITHOUT_GRANT = {
    *("migrate", "acquire_lease", "pause", "resume", "add_hold", "release_hold"),
    *("mark_archived", "delete_workflows"),
    *("put_if_absent", "put_stream", "delete"),
    *("write", "write_bytes", "write_stream", "remove"),
}
#: It takes a grant and changes nothing: rows are locked.
READS = {"lock_rows"}
MINUTES = timedelta(minutes=2)
#: A seed whose rows and logs are past their TTL two minutes later.
EXPIRING: Mapping[str, Any] = {
    "hello_worlds": 8,
    "keep_count": 2,
    "texts": {"archiveTTL: 180d": "archiveTTL: 1m"},
    "retention": {"mode": "apply", "proof_age": 0, "undo": "1m"},
    "expiry": {"undo": "1m", "undo_logs": True},
}


def world_for(new_seed: SeedWorld, job: str) -> World:
    """Eight workflows of which two stay; for expiry all were worked on, and their rows are past their TTL."""
    if job == RETENTION_JOB:
        return new_seed(hello_worlds=8, keep_count=2)
    world = new_seed(**EXPIRING)
    world.succeed(RETENTION_JOB)
    return world


def ahead_of(job: str) -> timedelta:
    return MINUTES if job == EXPIRY_JOB else timedelta()


def finish(world: World, job: str) -> None:
    """The next run, a minute after the dead one's last sign, and what must be there then."""
    world.forget_the_dead()
    world.succeed(job, clock=later(minutes=ahead_of(job).total_seconds() / 60))
    assert Oracle(world).look() == NOTHING
    rows, objects = (2, 2) if job == EXPIRY_JOB else (8, 8)
    live = world.live().keys()
    assert (len(live), len(world.rows()), len(world.objects())) == (2, rows, objects)
    made = {workflow["metadata"]["uid"] for workflow in world.scene.workflows}
    lines = audited(world)
    assert {line["uid"] for line in lines if line.get("outcome") in LEFT} == made - live
    if job == EXPIRY_JOB:
        assert {line["uid"] for line in lines if line.get("stage")} == made - world.rows().keys()


def audited(world: World) -> list[dict[str, Any]]:
    """Each line of the audit."""
    files = [
        gzip.decompress(world.body(world.scene.buckets[0], key) or b"")
        for key in world.files().keys(f"{OUR_FILES}audit/{world.scene.name}")
    ]
    return [json.loads(line) for file in files for line in file.splitlines()]


def test_each_effect_of_the_ports_is_a_point_or_left_out_with_a_reason() -> None:
    effects = {
        name
        for port in PORTS.values()
        for name, method in inspect.getmembers(port, inspect.isfunction)
        if "grant" in inspect.signature(method).parameters
    }
    named = {
        method for ports in EFFECTS.values() for methods in ports.values() for method in methods
    }

    assert (effects - READS) | WITHOUT_GRANT == (named - {"turn", "handle_new_event"}) | set(
        LEFT_OUT
    )
    assert len(list(places())) >= 40


@pytest.mark.parametrize("place", list(places()), ids=str)
def test_p7_killed_at_a_point_the_next_run_finishes(new_seed: SeedWorld, place: Place) -> None:
    world = world_for(new_seed, place.job)

    assert dies(world, place.job, place.point, ahead=ahead_of(place.job)), "it was not reached"

    finish(world, place.job)


def pairs() -> list[tuple[Place, Place]]:
    """Seeded, so that a failure can be had again."""
    chance = random.Random("pairs of deaths")
    found = list(places())
    made = []
    while len(made) < PAIRS:
        first = chance.choice(found)
        second = chance.choice([each for each in found if each.job == first.job])
        made.append((first, second))
    return made


@pytest.mark.parametrize(("first", "second"), pairs(), ids=str)
def test_p7_killed_twice_the_next_run_finishes(
    new_seed: SeedWorld, first: Place, second: Place
) -> None:
    """The second run may have nothing left to do at its point, and then ends by itself."""
    world = world_for(new_seed, first.job)
    assert dies(world, first.job, first.point, ahead=ahead_of(first.job))
    world.forget_the_dead()
    dies(world, second.job, second.point, ahead=ahead_of(second.job))

    finish(world, first.job)
