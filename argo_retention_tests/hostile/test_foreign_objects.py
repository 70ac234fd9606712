"""A bucket that is full of somebody else's objects: none of them is touched."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import World, later

#: `make soak` in its long form has 200,000.
COUNT = int(os.environ.get("ARGO_RETENTION_TEST_FOREIGN_OBJECTS") or "2000")
#: Like Argo's keys, beside them, and like our own folder.
PLACES = ("hello-world", "team-a/data", "argo-retention-of-others")
PUTS_AT_ONCE = 16


def put_foreign_objects(world: World) -> set[str]:
    files = world.files()
    keys = [f"{PLACES[n % len(PLACES)]}/{n // 1000}/{n}.log" for n in range(COUNT)]
    with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
        list(pool.map(lambda key: files.put_if_absent(key, b"theirs", {}), keys))
    return set(keys)


@pytest.mark.timeout(60 + COUNT // 50)
@pytest.mark.parametrize("exclusive", [False, True], ids=["shared", "exclusive"])
def test_p4_foreign_objects_stay(new_seed: SeedWorld, exclusive: bool) -> None:
    world = new_seed(
        hello_worlds=6,
        keep_count=2,
        texts={"archiveTTL: 180d": "archiveTTL: 1m"},
        bucket={"exclusive": exclusive},
    )
    foreign = put_foreign_objects(world)

    world.succeed(RETENTION_JOB)
    expiry = world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    assert expiry.assets["expiry_outcome"]["expired"] == 4
    left = {key for _, key in world.objects()}
    assert foreign <= left
    assert len(left - foreign) == 2
