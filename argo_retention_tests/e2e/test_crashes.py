"""P3 and P7: killed at any moment, a run leaves nothing that the next one does not finish."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from argo_retention.defs.jobs import ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.crashing import Point, start_and_die, start_command
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import World, later

ONE_MINUTE = {"archiveTTL: 180d": "archiveTTL: 1m"}


def at(port: str, method: str, call: int, *, after: bool, why: str) -> Any:
    point = Point(port=port, method=method, call=call, after=after)
    return pytest.param(point, id=why.replace(" ", "-"))


BEFORE_EXPIRY = [
    at("archive", "record_snapshot", 1, after=True, why="snapshot taken"),
    at("archive", "record_logs", 2, after=True, why="log intents written"),
    at("bucket", "put_if_absent", 3, after=True, why="some logs put"),
    at("archive", "write_rows", 2, after=False, why="some rows written"),
    at("archive", "write_rows", 4, after=True, why="all rows written"),
    at("cluster", "mark_archived", 1, after=True, why="a label set and not recorded"),
    at("archive", "record_plan", 1, after=True, why="plan made"),
    at("archive", "claim_plan", 1, after=True, why="plan claimed"),
    at("archive", "record_deletions", 1, after=True, why="deletion intents written"),
    at("pace", "turn", 4, after=False, why="some workflows deleted"),
    at("archive", "record_deletions", 5, after=False, why="deletions not recorded"),
]
DURING_EXPIRY = [
    at("archive", "record_plan", 1, after=True, why="plan made"),
    at("archive", "record_units", 2, after=True, why="units begun"),
    at("bucket", "delete", 3, after=True, why="some objects deleted"),
    at("archive", "record_units", 4, after=False, why="objects gone and not recorded"),
    at("archive", "expire_rows", 1, after=False, why="no row gone yet"),
    at("archive", "expire_rows", 2, after=True, why="some rows gone"),
]


@pytest.mark.parametrize("point", BEFORE_EXPIRY)
def test_p7_killed_while_archiving_or_deleting_the_next_run_finishes(
    new_seed: SeedWorld, point: Point
) -> None:
    world = new_seed(hello_worlds=8, keep_count=2)
    start_and_die(world, RETENTION_JOB, point)
    world.forget_the_dead()

    world.succeed(RETENTION_JOB)

    assert Oracle(world).look() == NOTHING
    assert (len(world.live()), len(world.rows()), len(world.objects())) == (2, 8, 8)


@pytest.mark.parametrize("point", DURING_EXPIRY)
def test_p3_killed_while_expiring_the_next_run_finishes(new_seed: SeedWorld, point: Point) -> None:
    world = new_seed(hello_worlds=8, keep_count=2, texts=ONE_MINUTE)
    world.succeed(RETENTION_JOB)
    start_and_die(world, EXPIRY_JOB, point, ahead=timedelta(minutes=2))
    world.forget_the_dead()

    world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    assert Oracle(world).look() == NOTHING
    assert world.rows().keys() == world.live().keys()
    assert len(world.objects()) == 2


def test_p7_a_dead_run_is_waited_for_until_dagster_knows_of_its_death(
    new_seed: SeedWorld, tmp_path: Path
) -> None:
    """Without Dagster's word the lease is stale a minute after the last heartbeat; nobody has to free it."""
    world = new_seed()
    point = Point(port="archive", method="record_snapshot", call=1, after=True)
    start_and_die(world, ARCHIVE_JOB, point, home=str(tmp_path))
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        world.instance = instance
        [dead] = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))

        early = world.run(ARCHIVE_JOB)
        instance.report_run_failed(dead, "the process is gone")
        late = world.run(ARCHIVE_JOB)

    assert (early.exit_code, late.exit_code) == (3, 0)
    assert f"is worked on by run {dead.run_id} on " in early.failure


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda each: each.name)
@pytest.mark.parametrize(("method", "port"), [("turn", "pace"), ("put_if_absent", "bucket")])
def test_p7_a_stopped_run_ends_soon_and_leaves_neither_lease_nor_open_intents(
    new_seed: SeedWorld, tmp_path: Path, number: signal.Signals, method: str, port: str
) -> None:
    world = new_seed(hello_worlds=8, keep_count=0, brakes={"per_second": 0.1})
    point = Point(port=port, method=method, call=1, after=True, signal=number)

    exit_code, seconds = start_command(world, ["run", "retention"], point, home=tmp_path)

    assert exit_code not in {0, None}
    assert seconds < 10
    assert holder(world) == ""
    assert [d for d in world.ledger("deletions") if d["outcome"] == "intended"] == []
    assert len(world.live()) >= 7

    world.overrides = {}
    world.succeed(RETENTION_JOB)
    assert Oracle(world).look() == NOTHING


def holder(world: World) -> str:
    [lease] = world.ledger("leases")
    return str(lease["root_run"])
