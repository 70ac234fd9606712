"""PostgreSQL that is not as it should be: what the product does is in docs/promises.md, by these tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from argo_retention.adapters.postgres_archive.archive import PostgresArchive
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.demo.scenes.installation import CONFIG_MAP
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import Servers, World
from argo_retention_tests.odd_servers.pgbouncer import BINARY, PgBouncer
from argo_retention_tests.odd_servers.pooler import Pooler
from argo_retention_tests.wire.tcp_wire import TcpWire

POOLERS = [Pooler, *([PgBouncer] if BINARY else [])]
APPLY: dict[str, Any] = {"retention": {"mode": "apply", "proof_age": 0}}


def database_of(world: World) -> str:
    return world.dsn.rpartition("/")[2]


def set_for_all(world: World, setting: str) -> None:
    """For every session of the database from now on, as an administrator would."""
    world.execute(
        psycopg.sql.SQL("ALTER DATABASE {} SET " + setting).format(
            psycopg.sql.Identifier(database_of(world))
        )
    )


@contextmanager
def through(world: World, port: int) -> Iterator[None]:
    """Argo's ConfigMap names this port for the database."""
    path = f"/api/v1/namespaces/argo/configmaps/{CONFIG_MAP}"
    data = world.ask("GET", path)["data"]["persistence"]
    old = int(psycopg.conninfo.conninfo_to_dict(world.dsn)["port"])
    world.ask(
        "PATCH", path, {"data": {"persistence": data.replace(f"port: {old}", f"port: {port}")}}
    )
    yield
    world.ask("PATCH", path, {"data": {"persistence": data}})


def test_p2_a_database_that_is_read_only_stops_the_run_before_anything(new_seed: SeedWorld) -> None:
    world = new_seed(**APPLY)
    set_for_all(world, "default_transaction_read_only = on")

    outcome = world.run(RETENTION_JOB)

    assert not outcome.success
    assert "read-only" in outcome.failure
    assert "primary" in outcome.failure
    assert len(world.live()) == 6


@pytest.mark.parametrize(
    ("table", "deleted"), [("argo_archived_workflows", 0), ("argo_retention.deletions", 0)]
)
def test_p1_a_full_disk_deletes_nothing_and_the_next_run_goes_on(
    new_seed: SeedWorld, table: str, deleted: int
) -> None:
    """The error of a full disk, raised by a trigger at the first row."""
    world = new_seed(**APPLY)
    world.succeed("argo_archive")
    world.execute("DELETE FROM argo_archived_workflows")
    world.execute("DELETE FROM argo_retention.archived_versions")
    world.execute(
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
    )
    world.execute(f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} EXECUTE FUNCTION full_disk()")

    outcome = world.run(RETENTION_JOB)

    assert not outcome.success
    assert "No space left on device" in outcome.failure
    assert len(world.live()) == 6 - deleted
    world.execute(f"DROP TRIGGER full_disk ON {table}")
    world.forget_the_dead()
    world.succeed(RETENTION_JOB)
    assert (len(world.live()), len(world.rows())) == (2, 6)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles"])
def test_p5_another_time_zone_of_the_database_changes_no_age(
    new_seed: SeedWorld, zone: str
) -> None:
    """Argo writes its times in the zone of the session; ages come from the JSON, in UTC."""
    world = new_seed(**APPLY, argo={"archiveTTL": "3h"})
    set_for_all(world, f"timezone = '{zone}'")

    world.succeed(RETENTION_JOB)
    assert (len(world.live()), len(world.rows())) == (2, 6)
    world.succeed(EXPIRY_JOB)

    live = world.live()
    rows = world.rows()
    assert set(live) <= set(rows), "what is live keeps its row"
    assert len(rows) == 2, "the others finished more than three hours ago, wherever one looks from"
    for row in rows.values():
        assert f"{row['finishedat']:%Y-%m-%dT%H:%M:%SZ}" == row["workflow"]["status"]["finishedAt"]
    assert Oracle(world).look() == NOTHING


@pytest.mark.parametrize(
    "setting",
    [
        "statement_timeout = '100ms'",
        "lock_timeout = '1ms'",
        "idle_in_transaction_session_timeout = '100ms'",
        "synchronous_commit = off",
        "default_transaction_isolation = 'serializable'",
        "search_path = nowhere, public",
        "standard_conforming_strings = off",
        "bytea_output = 'escape'",
        "DateStyle = 'German, DMY'",
        "IntervalStyle = 'sql_standard'",
    ],
)
def test_settings_of_the_database_for_all_sessions_change_nothing(
    new_seed: SeedWorld, setting: str
) -> None:
    world = new_seed(**APPLY)
    set_for_all(world, setting)

    world.succeed(RETENTION_JOB)

    world.execute(
        psycopg.sql.SQL("ALTER DATABASE {} RESET ALL").format(
            psycopg.sql.Identifier(database_of(world))
        )
    )
    assert (len(world.live()), len(world.rows())) == (2, 6)
    assert Oracle(world).look() == NOTHING


def test_p1_a_failover_in_the_middle_to_a_standby_that_lags_deletes_nothing(
    new_seed: SeedWorld, servers: Servers
) -> None:
    """The other database is as ours was before the run: no rows, no lease, no plan."""
    world = new_seed(**APPLY)
    world.succeed("argo_plan")
    name = database_of(world)
    servers.postgres.create_database(f"{name}_standby", template=name)
    failed_over = threading.Event()

    def fail_over(stage: str, done: int, total: int | None) -> None:
        if stage == "archive" and done and not failed_over.is_set():
            failed_over.set()
            with psycopg.connect(servers.postgres.dsn(), autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ANY(%s)",
                    ([name, f"{name}_standby"],),
                )
                for old, new in ((name, f"{name}_old"), (f"{name}_standby", name)):
                    admin.execute(f'ALTER DATABASE "{old}" RENAME TO "{new}"')

    world.execute("DELETE FROM argo_archived_workflows")
    outcome = world.run(RETENTION_JOB, progress=fail_over)

    try:
        assert failed_over.is_set()
        assert not outcome.success
        assert len(world.live()) == 6
        again = world.run(RETENTION_JOB)
        assert len(world.live()) == 6, again
        assert "behind" in again.failure or "restored" in again.failure, again.failure
    finally:
        servers.postgres.drop_database(f"{name}_old")


@pytest.mark.parametrize("kind", POOLERS)
def test_p7_behind_a_pooler_in_transaction_mode_all_is_as_without(
    new_seed: SeedWorld, kind: type[Pooler] | type[PgBouncer]
) -> None:
    world = new_seed(**APPLY, argo={"archiveTTL": "3h"})
    with kind(world.dsn) as pooler, through(world, pooler.port):
        world.succeed(RETENTION_JOB)
        world.succeed(EXPIRY_JOB)
        if isinstance(pooler, Pooler):  # PgBouncer does not say
            assert pooler.changes > 5, "the transactions met several sessions"
        settings = {
            (row["name"], row["setting"])
            for _ in range(20)
            for row in _asked_through(pooler, world)
        }
    assert settings == {
        ("lock_timeout", "0"),
        ("synchronous_commit", "on"),
        ("idle_in_transaction_session_timeout", "0"),
    }
    assert (len(world.live()), len(world.rows())) == (2, 2)
    assert Oracle(world).look() == NOTHING


def _asked_through(pooler: Pooler | PgBouncer, world: World) -> list[dict[str, Any]]:
    """What a session holds that somebody else gets from the pooler after us."""
    target = psycopg.conninfo.make_conninfo(world.dsn, host="127.0.0.1", port=pooler.port)
    with psycopg.connect(target, row_factory=psycopg.rows.dict_row, autocommit=True) as session:
        return session.execute(
            "SELECT name, setting FROM pg_settings"
            " WHERE name IN ('lock_timeout', 'synchronous_commit', 'idle_in_transaction_session_timeout')"
        ).fetchall()


def test_a_session_of_ours_knows_whether_a_pooler_is_in_between(new_seed: SeedWorld) -> None:
    world = new_seed()
    direct = DatabaseTarget.from_url(world.dsn)
    with Pooler(world.dsn, sessions=1) as pooler, TcpWire(direct.port) as wire:
        for port, is_pooled in ((direct.port, False), (wire.port, False), (pooler.port, True)):
            target = DatabaseTarget.from_url(world.dsn.replace(f":{direct.port}/", f":{port}/"))
            archive = PostgresArchive(target, offload_table="argo_workflows")
            with archive._sessions.transaction() as connection:
                assert connection.is_pooled is is_pooled
                shown = connection.execute("SHOW lock_timeout").fetchone()
                assert shown == {"lock_timeout": "5s"}
            archive.close()


# -- versions of Argo's tables ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [60, 63, 67, 69, 100])
def test_p2_tables_of_a_version_that_is_not_known_are_read_and_never_written(
    new_seed: SeedWorld, version: int
) -> None:
    world = new_seed(**APPLY)
    world.succeed(RETENTION_JOB)
    before = world.rows()
    world.execute("UPDATE schema_history SET schema_version = %s", version)

    outcomes = [world.run(job) for job in ("argo_archive", RETENTION_JOB, EXPIRY_JOB)]

    for outcome in outcomes:
        assert not outcome.success
        assert f"schema_version {version}" in outcome.failure
        assert "Nothing is written or deleted" in outcome.failure
    assert world.rows() == before
    assert len(world.live()) == 2
