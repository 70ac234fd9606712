"""P3: the seed's expiry check: `archiveTTL: 1m` in Argo's ConfigMap, the test's clock two minutes later."""

import pytest

from argo_retention.defs.jobs import ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import World, later

TWO_MINUTES = later(minutes=2)


@pytest.fixture
def seed(new_seed: SeedWorld) -> World:
    """Ten hello-worlds after archive and retention: three live, ten archived."""
    world = new_seed(hello_worlds=10, keep_count=3, texts={"archiveTTL: 180d": "archiveTTL: 1m"})
    world.succeed(ARCHIVE_JOB)
    world.succeed(RETENTION_JOB)
    assert (len(world.live()), len(world.rows()), len(world.objects())) == (3, 10, 10)
    return world


def test_p3_seven_rows_expire_with_their_labels_and_logs_and_the_three_live_ones_stay(
    seed: World,
) -> None:
    outcome = seed.succeed(EXPIRY_JOB, clock=TWO_MINUTES)

    live = seed.live()
    assert len(live) == 3
    assert seed.rows().keys() == seed.labels().keys() == live.keys()
    names = {workflow["metadata"]["name"] for workflow in live.values()}
    assert {key.split("/")[0] for _, key in seed.objects()} == names
    assert len(seed.objects()) == 3
    assert outcome.assets["expiry_outcome"]["expired"] == 7
    assert outcome.assets["expiry_outcome"]["objects"] == {"deleted": 7}
    assert outcome.assets["expiry_plan"]["reasons"] == {"expired": 7, "live": 3}
    for uid, decision in seed.decisions(outcome, "expiry_plan").items():
        if uid in live:
            assert decision["sentence"] == "is still in the cluster; expiry.while_live is keep"
    assert Oracle(seed).look() == NOTHING


def test_p3_with_while_live_expire_nothing_is_left_and_nothing_is_written_again(
    seed: World,
) -> None:
    seed.overrides = {"expiry": {"while_live": "expire"}}

    expiry = seed.succeed(EXPIRY_JOB, clock=TWO_MINUTES)

    assert expiry.assets["expiry_outcome"]["expired"] == 10
    assert (seed.rows(), seed.labels(), seed.objects()) == ({}, {}, set())
    assert len(seed.live()) == 3

    again = seed.succeed(ARCHIVE_JOB, clock=TWO_MINUTES)

    assert again.assets["archived_workflows"]["archived"] == 0
    assert again.assets["archived_workflows"]["proven_before"] == 3
    assert (seed.rows(), seed.objects()) == ({}, set())
    assert Oracle(seed).look() == NOTHING


def test_p3_what_expired_while_live_is_not_held_back_as_unproven(seed: World) -> None:
    seed.overrides = {"expiry": {"while_live": "expire"}}
    seed.succeed(EXPIRY_JOB, clock=TWO_MINUTES)
    seed.overrides = {
        "expiry": {"while_live": "expire"},
        "argo": {"retentionPolicy": {"completed": 1}},
    }

    outcome = seed.succeed(RETENTION_JOB, clock=TWO_MINUTES)

    assert outcome.assets["retention_outcome"]["outcomes"] == {"deleted": 2}
    assert len(seed.live()) == 1
    assert Oracle(seed).look() == NOTHING
