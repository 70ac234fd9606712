"""P7: a server dies under a run, in the middle of what it was asked to do."""

import os
import signal
import time

import psutil
import psycopg
import pytest

from argo_retention.adapters.postgres_archive import rows
from argo_retention.defs.jobs import RETENTION_JOB
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import World
from argo_retention_tests.faults.test_kills import finish


def kill_our_backends(world: World) -> None:
    """SIGKILL to the server's processes of this database: all sessions end, the log is replayed."""
    database = world.dsn.rpartition("/")[2]
    killed = 0
    for process in psutil.process_iter():
        if process.name() == "postgres" and f" {database} " in " ".join(process.cmdline()):
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
    assert killed, "no session of the run was found"


def wait_until_it_answers(world: World) -> None:
    """It replays its log first."""
    deadline = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(world.dsn).close()
        except psycopg.OperationalError:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return


@pytest.mark.parametrize("batch", [1, 2])
def test_p7_a_server_dies_postgresql_in_the_middle_of_our_transaction(
    new_seed: SeedWorld, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    world = new_seed(hello_worlds=8, keep_count=2)
    original = rows._put_ledger
    calls = 0

    def dying(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == batch:
            kill_our_backends(world)
        original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("argo_retention.operations.archiving.BATCH", 3)
    with monkeypatch.context() as patched:
        patched.setattr(rows, "_put_ledger", dying)

        broken = world.run(RETENTION_JOB)

    assert not broken.success
    assert "PostgreSQL" in str(broken.failure)
    wait_until_it_answers(world)
    assert postgres.is_running()
    assert len(world.live()) == 8
    finish(world, RETENTION_JOB)


def test_p7_a_server_dies_the_api_server_between_two_requests(new_seed: SeedWorld) -> None:
    world = new_seed(hello_worlds=8, keep_count=2)
    world.fault(status=503, match={"method": "DELETE"})

    broken = world.run(RETENTION_JOB)

    assert broken.exit_code == 1
    assert len(world.live()) == 8
    world.mend()
    finish(world, RETENTION_JOB)
