"""P7: a server dies under a run, in the middle of what it was asked to do, and comes back with what it had.

The API server is killed like that in `argo_retention_tests/cluster`, where it is a real one.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from argo_retention.adapters.postgres_archive import rows
from argo_retention.adapters.s3_log_store import S3LogStore
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.demo.argo_schema import make_argo_tables
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import Servers, later, seed_world
from argo_retention_tests.faults.power import Power
from argo_retention_tests.faults.test_kills import EXPIRING, finish

TEMPLATE = "argo_template"


@pytest.fixture
def own_servers() -> Iterator[Servers]:
    """Servers of this test alone: they are killed."""
    with PostgresServer() as postgres, S3Server() as s3:
        make_argo_tables(postgres.create_database(TEMPLATE))
        yield Servers(postgres=postgres, s3=s3, template=TEMPLATE)


def before_call(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, at: int, what: Callable[[], None]
) -> None:
    """Do something before a method's call number `at`."""
    original = getattr(owner, name)
    calls = 0

    def counted(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == at:
            what()
        return original(*arguments, **named)

    monkeypatch.setattr(owner, name, counted)


@pytest.mark.parametrize("batch", [1, 2])
def test_p7_a_server_dies_postgresql_in_the_middle_of_our_transaction(
    own_servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """SIGKILL to the postmaster and to all sessions, between the rows and the ledger of one commit."""
    with (
        Power(own_servers.postgres) as power,
        seed_world(own_servers, tmp_path, hello_worlds=8, keep_count=2) as world,
    ):
        with monkeypatch.context() as patched:
            patched.setattr("argo_retention.operations.archiving.BATCH", 3)
            before_call(patched, rows, "_put_ledger", batch, power.cut)

            broken = world.run(RETENTION_JOB)

        assert not broken.success
        assert "PostgreSQL" in str(broken.failure)
        power.restore(leaves="postmaster.pid")
        assert len(world.live()) == 8
        assert len(world.rows()) < 8
        finish(world, RETENTION_JOB)


@pytest.mark.parametrize("put", [1, 4])
def test_p7_a_server_dies_s3_between_two_logs(
    own_servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, put: int
) -> None:
    with (
        Power(own_servers.s3) as power,
        seed_world(own_servers, tmp_path, hello_worlds=8, keep_count=2) as world,
    ):
        with monkeypatch.context() as patched:
            before_call(patched, S3LogStore, "put_if_absent", put, power.cut)

            broken = world.run(RETENTION_JOB)

        assert broken.exit_code == 1
        power.restore()
        assert len(world.live()) == 8, "a log that could not be saved forbids the deletion"
        finish(world, RETENTION_JOB)


def test_p7_a_server_dies_s3_in_the_middle_of_expiry(
    own_servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        Power(own_servers.s3) as power,
        seed_world(own_servers, tmp_path, **EXPIRING) as world,
    ):
        world.succeed(RETENTION_JOB)
        with monkeypatch.context() as patched:
            before_call(patched, S3LogStore, "delete", 3, power.cut)

            broken = world.run(EXPIRY_JOB, clock=later(minutes=2))

        assert broken.exit_code == 1
        assert len(world.rows()) == 8, "a row goes after its objects"
        power.restore()
        finish(world, EXPIRY_JOB)


def test_p7_an_api_server_that_answers_nothing_but_503_from_the_first_delete_on(
    new_seed: SeedWorld,
) -> None:
    world = new_seed(hello_worlds=8, keep_count=2)
    world.fault(status=503, match={"method": "DELETE"})

    broken = world.run(RETENTION_JOB)

    assert broken.exit_code == 1
    assert len(world.live()) == 8
    world.mend()
    finish(world, RETENTION_JOB)
