"""P1, P3, P7: whatever a network does to a run, nothing is lost, the run ends in time, and the next one finishes."""

import time
from datetime import timedelta

import pytest

from argo_retention.defs import retrying
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.oracle import ENDED, NOTHING, Oracle
from argo_retention_tests.e2e.worlds import World, later
from argo_retention_tests.wire.conftest import ROUNDS, WiredWorld
from argo_retention_tests.wire.http_wire import paths_met
from argo_retention_tests.wire.schedules import put_faults
from argo_retention_tests.wire.world import Wires

#: Of a run: a session of PostgreSQL that falls silent is given up after 21 s here, in each attempt of a step.
RUN_SECONDS = 60.0 + retrying.TRIES_AGAIN * 21
AHEAD = timedelta(minutes=2)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_p1_nothing_is_lost_in_round(wired: WiredWorld, seed: int) -> None:
    wires = wired(
        hello_worlds=8,
        keep_count=2,
        texts={"archiveTTL: 180d": "archiveTTL: 1m"},
        retention={"mode": "apply", "proof_age": 0},
    )
    world = wires.world

    spoilt(wires, RETENTION_JOB, seed)
    after = finished(world, RETENTION_JOB, wires)
    assert (len(world.live()), len(world.rows())) == (2, 8), after
    spoilt(wires, EXPIRY_JOB, seed, ahead=AHEAD)
    after = finished(world, EXPIRY_JOB, wires, ahead=AHEAD)

    assert (len(world.live()), len(world.rows()), len(world.objects())) == (2, 2, 2), after


def spoilt(wires: Wires, job: str, seed: int, *, ahead: timedelta = timedelta()) -> None:
    """A run on a bad network: it may fail, but in time, and it loses nothing."""
    put_faults(wires, seed, part=job)
    begun = time.monotonic()

    outcome = wires.world.run(job, clock=later(seconds=ahead.total_seconds()))

    took = time.monotonic() - begun
    wires.mend()
    assert took < RUN_SECONDS, f"{took:.0f} s: {paths_met(wires.done)}"
    if has_our_tables(wires.world):
        assert lost(wires.world) == [], paths_met(wires.done)
    else:
        assert len(wires.world.live()) == 8
    assert outcome.success or says_what_to_do(outcome.failure), outcome.failure


def lost(world: World) -> list[str]:
    """What cannot be had any more, but for what is just expiring: its objects go before its row."""
    under_way = {
        unit["name"] for unit in world.ledger("expiry_units") if unit["stage"] not in ENDED
    }
    return [
        each for each in Oracle(world).look().lost if not any(name in each for name in under_way)
    ]


def has_our_tables(world: World) -> bool:
    """Whether a run got as far as that."""
    [answer] = world.query("SELECT to_regclass('argo_retention.deletions') IS NOT NULL AS made")
    return bool(answer["made"])


def says_what_to_do(failure: str) -> bool:
    """An error of ours, not one that fell through."""
    return bool(failure) and "The run's events in Dagster's UI have the whole trace" not in failure


def finished(world: World, job: str, wires: Wires, *, ahead: timedelta = timedelta()) -> str:
    """The next run, on a good network."""
    world.forget_the_dead()
    outcome = world.run(job, clock=later(seconds=ahead.total_seconds()))
    told = paths_met(wires.done)
    assert outcome.success, f"{outcome.failure}; {told}"
    assert Oracle(world).look() == NOTHING, told
    return told
