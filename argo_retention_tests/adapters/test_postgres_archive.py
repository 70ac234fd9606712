"""What only the real archive has: sessions, rights, words for failures, and several threads at once."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest
from psycopg import sql

from argo_retention.adapters.postgres_archive.archive import PostgresArchive
from argo_retention.adapters.postgres_archive.statements import migrations, statements
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.errors import DatabaseError, LeaseLostError
from argo_retention_tests.contracts.archive_worlds import (
    CLUSTER,
    PostgresArchiveWorld,
    argo_row,
    lease,
    log,
    unit,
    write,
)
from argo_retention_tests.wire.tcp_wire import TcpFault, TcpWire


@pytest.fixture
def world(argo_database: str) -> Iterator[PostgresArchiveWorld]:
    world = PostgresArchiveWorld(argo_database)
    yield world
    world.archive.close()


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def connected(url: str, **kwargs) -> PostgresArchive:
    target = replace(DatabaseTarget.from_url(url), **kwargs)
    return PostgresArchive(target, offload_table="argo_workflows")


# -- words for failures ---------------------------------------------------------------------------------


def test_a_wrong_password_is_said_at_once_and_not_shown(argo_database: str) -> None:
    wrong = DatabaseTarget.from_url("postgresql://u:secret-marker@db/argo").password

    with (
        connected(argo_database, password=wrong) as archive,
        pytest.raises(DatabaseError, match="password authentication failed") as failed,
    ):
        archive.facts()

    assert "secret-marker" not in str(failed.value)


def test_an_unreachable_server_is_named(argo_database: str) -> None:
    with (
        connected(argo_database, port=1) as archive,
        pytest.raises(DatabaseError, match=r"127\.0\.0\.1:1/.* cannot be reached"),
    ):
        archive.facts()


def test_a_server_that_starts_again_is_waited_for_a_moment(argo_database: str) -> None:
    """Nothing was begun yet, so a run need not fail for a restart of the database."""
    port = DatabaseTarget.from_url(argo_database).port
    with TcpWire(port) as wire:
        wire.faults.append(TcpFault(kind="refuse", times=2))
        with connected(argo_database, port=wire.port) as archive:
            assert archive.facts().schema_version == 68
        assert len(wire.done) == 2


def test_a_connection_that_is_lost_in_the_middle_is_no_wrong_address(argo_database: str) -> None:
    port = DatabaseTarget.from_url(argo_database).port
    with TcpWire(port) as wire:
        wire.faults.append(TcpFault(kind="cut", trigger=b"schema_history"))
        with (
            connected(argo_database, port=wire.port) as archive,
            pytest.raises(DatabaseError, match=r"was lost: .*\nWhat was not committed is undone"),
        ):
            archive.facts()


def test_a_read_only_database_is_looked_at_but_not_written(world: PostgresArchiveWorld) -> None:
    grant = lease(world.archive)
    database = world.archive._sessions.target.database
    execute(world.url, f"ALTER DATABASE {database} SET default_transaction_read_only = on")

    with connected(world.url) as archive:
        assert archive.facts().is_read_only
        with pytest.raises(DatabaseError, match="is read-only"):
            archive.write_rows(grant, [write()])
        with pytest.raises(DatabaseError, match="is read-only"):
            lease(archive)


def test_an_empty_database_has_no_schema_version(postgres: PostgresServer) -> None:
    url = postgres.create_database("empty_archive")

    with connected(url) as archive:
        facts = archive.facts()
        with pytest.raises(DatabaseError, match="are not those of this version"):
            archive.last_snapshot(clustername=CLUSTER, instanceid="")

    postgres.drop_database("empty_archive")
    assert (facts.schema_version, facts.our_tables) == (None, False)
    assert "DELETE on argo_archived_workflows (there is no such table)" in facts.missing_rights


def test_missing_rights_are_named(world: PostgresArchiveWorld) -> None:
    for statement in (
        "DROP ROLE IF EXISTS archive_reader",
        "CREATE ROLE archive_reader LOGIN PASSWORD 'reader'",
        "GRANT SELECT ON argo_archived_workflows, schema_history TO archive_reader",
    ):
        execute(world.url, statement)
    reader = DatabaseTarget.from_url("postgresql://archive_reader:reader@db/x").password

    with connected(world.url, user="archive_reader", password=reader) as archive:
        missing = archive.facts().missing_rights
        with pytest.raises(DatabaseError, match="doctor"):
            archive.last_snapshot(clustername=CLUSTER, instanceid="")

    assert "DELETE on argo_archived_workflows" in missing
    assert "SELECT on argo_workflows" in missing
    assert "SELECT on argo_archived_workflows" not in missing
    assert any("schema argo_retention" in right for right in missing)
    execute(world.url, "DROP OWNED BY archive_reader")
    execute(world.url, "DROP ROLE archive_reader")


def test_a_closed_archive_says_so(argo_database: str) -> None:
    archive = connected(argo_database)
    archive.close()

    with pytest.raises(DatabaseError, match="closed"):
        archive.facts()


def test_a_connection_that_the_server_ended_is_replaced(world: PostgresArchiveWorld) -> None:
    world.archive.facts()
    execute(
        world.url,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'argo-retention' AND datname = current_database()",
    )

    with pytest.raises(DatabaseError):
        world.archive.facts()

    assert world.archive.facts().schema_version == 68


# -- sessions and SQL -----------------------------------------------------------------------------------


def test_our_sessions_never_make_argo_wait_long_and_count_in_utc(
    world: PostgresArchiveWorld,
) -> None:
    database = world.archive._sessions.target.database
    execute(world.url, f"ALTER DATABASE {database} SET timezone = 'Asia/Tokyo'")
    execute(world.url, f"ALTER DATABASE {database} SET synchronous_commit = off")

    with connected(world.url) as archive, archive._sessions.transaction() as connection:
        found = {
            row["name"]: row["setting"]
            for row in connection.execute("SELECT name, setting FROM pg_settings")
        }

    assert (found["TimeZone"], found["synchronous_commit"]) == ("UTC", "on")
    assert (found["lock_timeout"], found["statement_timeout"]) == ("5000", "300000")
    assert found["application_name"] == "argo-retention"


def test_the_name_of_the_offload_table_is_an_identifier(argo_database: str) -> None:
    execute(argo_database, 'ALTER TABLE argo_workflows RENAME TO "odd "" name"')
    target = DatabaseTarget.from_url(argo_database)

    with PostgresArchive(target, offload_table='odd " name') as archive:
        assert archive.offloaded_nodes(clustername=CLUSTER, uid="u1", version="v") is None
        assert archive.facts().missing_rights == []


@pytest.mark.parametrize(
    "name", ["expiry", "facts", "leases", "ledger", "logs", "proofs", "rows", "sessions"]
)
def test_each_statement_has_a_name_and_its_own_text(name: str) -> None:
    found = statements(name)

    assert found
    assert all(isinstance(text, sql.SQL) for text in found.values())


def test_migrations_are_numbered_without_a_gap() -> None:
    numbers = [int(name.split("_")[0]) for name in migrations()]

    assert numbers == list(range(1, len(numbers) + 1))


def test_argos_tables_are_never_altered(argo_database: str) -> None:
    def columns() -> list:
        with psycopg.connect(argo_database) as connection:
            return connection.execute(
                "SELECT c.oid, c.relname, a.attname, a.atttypid FROM pg_class c"
                " JOIN pg_attribute a ON a.attrelid = c.oid"
                " WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1, a.attnum"
            ).fetchall()

    before = columns()
    with connected(argo_database) as archive:
        assert list(archive.migrate()) == list(migrations())
    assert columns() == before


def test_a_row_whose_nodes_are_no_map_does_not_stop_the_backfill(
    world: PostgresArchiveWorld,
) -> None:
    world.put_row(argo_row("u1", workflow={"status": {"nodes": []}}))
    world.put_row(argo_row("u2", workflow={"status": "text"}))

    grant = lease(world.archive)

    assert [world.archive.backfill_references(grant) for _ in range(2)] == [2, 0]


def test_statistics_are_taken_when_rows_are_written_that_the_planner_does_not_know_of(
    world: PostgresArchiveWorld,
) -> None:
    grant = lease(world.archive)
    query = "SELECT reltuples FROM pg_class WHERE relname = 'argo_archived_workflows'"
    believed = []
    for start in range(0, 800, 200):
        batch = [write(f"u{n:04}", logs=[], references=[]) for n in range(start, start + 200)]
        world.archive.write_rows(grant, batch)
        with psycopg.connect(world.url) as connection:
            believed += connection.execute(query).fetchone() or ()

    assert believed == [-1, 400, 400, 400]


def test_statistics_that_somebody_took_are_left_alone(world: PostgresArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write(f"u{n:04}", references=[]) for n in range(399)])
    taken = "SELECT last_analyze FROM pg_stat_user_tables WHERE relname = 'argo_archived_workflows'"
    with psycopg.connect(world.url, autocommit=True) as connection:
        world.archive.write_rows(grant, [write("last", references=[])])
        ours = connection.execute(taken).fetchone()

    with PostgresArchive(
        DatabaseTarget.from_url(world.url), offload_table="argo_workflows"
    ) as later:
        later.write_rows(grant, [write(f"v{n:04}", references=[]) for n in range(400)])

    with psycopg.connect(world.url) as connection:
        assert connection.execute(taken).fetchone() == ours != (None,)


# -- several at once ------------------------------------------------------------------------------------


def test_processes_that_migrate_at_the_same_time_do_it_once(argo_database: str) -> None:
    with connected(argo_database) as archive, ThreadPoolExecutor(4) as threads:
        done = list(threads.map(lambda _: list(archive.migrate()), range(4)))

    assert sorted(done, key=len) == [[], [], [], list(migrations())]


def test_batches_are_written_and_expired_by_two_threads(world: PostgresArchiveWorld) -> None:
    grant = lease(world.archive)
    uids = [f"u{n:03}" for n in range(400)]
    batches = [uids[start : start + 50] for start in range(0, 400, 50)]

    def store(part):
        return world.archive.write_rows(grant, [write(uid) for uid in part])

    with ThreadPoolExecutor(2) as threads:
        written = [w for batch in threads.map(store, batches) for w in batch]
        units = {w.uid: unit(w.uid, digest=w.digest) for w in written}
        world.archive.record_units(grant, list(units.values()))

        def expire(part):
            return world.archive.expire_rows(grant, [units[u] for u in part], live_versions={})

        gone = [uid for part in threads.map(expire, batches) for uid in part]

    assert [w.uid for w in written] == uids
    assert sorted(gone) == uids
    counts = world.archive.counts(clustername=CLUSTER, instanceid="")
    assert (counts["rows"], counts["labels"], counts["expired"]) == (0, 0, 400)


def test_overlapping_batches_do_not_wait_for_each_other_for_ever(
    world: PostgresArchiveWorld,
) -> None:
    """Rows are taken in one order, so that no deadlock comes of two writers of the same rows."""
    grant = lease(world.archive)
    uids = [f"u{n:03}" for n in range(60)]
    start = threading.Barrier(2)

    def store(order):
        start.wait()
        return world.archive.write_rows(grant, [write(uid) for uid in order])

    with ThreadPoolExecutor(2) as threads:
        both = list(threads.map(store, [uids, uids[::-1]]))

    refusals = sorted({w.refusal for batch in both for w in batch})
    assert refusals == ["", "row changed meanwhile"]
    assert world.archive.counts(clustername=CLUSTER, instanceid="")["rows"] == 60


def test_p1_a_row_that_changes_while_it_is_waited_for_is_read_as_it_is_then(
    argo_database: str, world: PostgresArchiveWorld
) -> None:
    grant = lease(world.archive)
    [written] = world.archive.write_rows(grant, [write()])
    change = (
        """UPDATE argo_archived_workflows SET workflow = workflow || '{"more": "than before"}'"""
    )
    with psycopg.connect(argo_database) as other, ThreadPoolExecutor(1) as threads:
        other.execute(change)

        def locked():
            with world.archive.lock_rows(grant, uids=["u1"]) as rows:
                return rows["u1"]

        waiting = threads.submit(locked)
        waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        with psycopg.connect(argo_database, autocommit=True) as looks:
            while looks.execute(waits).fetchone() == (0,):
                assert not waiting.done(), waiting.result()
        other.commit()
        row = waiting.result()
        found = other.execute("SELECT workflow::text FROM argo_archived_workflows").fetchall()

    assert row.digest != written.digest == row.proven_digest
    assert [row.size] == [len(text.encode()) for (text,) in found]


def test_a_takeover_waits_for_what_the_old_holder_is_writing(world: PostgresArchiveWorld) -> None:
    """The fence: no write of the old holder commits after the new one has its grant."""
    old = lease(world.archive)
    world.archive.write_rows(old, [write()])
    order: list[str] = []

    def take_over() -> None:
        world.archive.acquire_lease(
            clustername=CLUSTER,
            instanceid="",
            root_run="run-2",
            host="host-2",
            is_finished=lambda _: True,
        )
        order.append("taken over")

    thread = threading.Thread(target=take_over)
    with world.archive.lock_rows(old, uids=["u1"]):
        world.archive.heartbeat(old)
        thread.start()
        thread.join(timeout=0.3)
        order.append("written")
    thread.join()

    assert order == ["written", "taken over"]
    with pytest.raises(LeaseLostError):
        world.archive.record_logs(old, [log()])


def test_streams_may_be_left_before_their_end(world: PostgresArchiveWorld) -> None:
    grant = lease(world.archive)
    world.archive.write_rows(grant, [write("u1"), write("u2")])

    stream = world.archive.proven_versions(clustername=CLUSTER)
    next(stream)
    stream.close()

    assert len(list(world.archive.proven_versions(clustername=CLUSTER))) == 2
