"""`deploy/database-role.sql` on a real PostgreSQL: enough for each job, each right of it needed, and no more."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from argo_retention.defs.jobs import ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import Cli, SeedWorld
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import World, later

SQL = (Path(__file__).parents[2] / "deploy" / "database-role.sql").read_text()
ROLE, VARIABLE = "argo_retention", "ARCHIVE_URL"
GRANTS = [
    (right.strip(), table)
    for rights, table in re.findall(rf"^GRANT ([A-Z, ]+) ON (\w+) TO {ROLE};", SQL, re.MULTILINE)
    for right in rights.split(",")
]


def own_rights(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world reached by the role that is shipped, as Argo's owner of the tables made it."""
    owner = f"owner_{world.dsn.rpartition('_')[2].partition('?')[0][:12]}"
    with psycopg.connect(world.dsn, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {owner} SUPERUSER")
        admin.execute(f"SET ROLE {owner}")
        for _ in range(2):  # a second time changes nothing
            admin.execute(SQL)
        admin.execute("RESET ROLE")
        admin.execute(f"ALTER ROLE {ROLE} PASSWORD 'of-the-role'")
    given = urlsplit(world.dsn)
    place = f"{ROLE}:of-the-role@{given.netloc.rpartition('@')[2]}"
    monkeypatch.setenv(VARIABLE, urlunsplit(given._replace(netloc=place)))
    world.overrides = {**world.overrides, "database": {"url_env": VARIABLE}}
    return world


@pytest.fixture
def world(new_seed: SeedWorld, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = new_seed(hello_worlds=5, keep_count=2, texts={"archiveTTL: 180d": "archiveTTL: 1m"})
    yield own_rights(world, monkeypatch)
    world.execute(f"DROP OWNED BY {ROLE} CASCADE")


def test_the_role_is_enough_for_each_job_and_makes_its_tables(world: World, cli: Cli) -> None:
    world.succeed(ARCHIVE_JOB)
    world.succeed(RETENTION_JOB)
    world.succeed(EXPIRY_JOB, clock=later(minutes=2))

    assert Oracle(world).look() == NOTHING
    assert (len(world.live()), len(world.rows())) == (2, 2)
    [owner] = world.query(
        "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'argo_retention'"
    )
    assert owner["tableowner"] == ROLE
    _, text = cli(world, "doctor", "--json")
    assert [f for f in json.loads(text)["findings"] if "lacks" in f["what"]] == []


@pytest.mark.parametrize(("right", "table"), GRANTS)
def test_p1_without_one_of_its_rights_nothing_is_deleted_and_doctor_names_it(
    world: World, cli: Cli, right: str, table: str
) -> None:
    world.execute(f"REVOKE {right} ON {table} FROM {ROLE}")

    outcomes = [world.run(job) for job in (RETENTION_JOB, EXPIRY_JOB)]
    _, text = cli(world, "doctor", "--json")

    assert len(world.live()) == 5
    assert not any(outcome.success for outcome in outcomes), f"nothing needs {right} on {table}"
    said = " ".join(outcome.failure for outcome in outcomes)
    assert table in said, said
    [finding] = [f for f in json.loads(text)["findings"] if "lacks" in f["what"]]
    assert f"{right} on {table}" in finding["what"]
    assert f'GRANT {right} ON "{table}" TO "{ROLE}";' in finding["mend"]


def test_the_role_may_nothing_else(world: World) -> None:
    found = world.query(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
        "WHERE grantee = %s AND table_schema <> 'argo_retention'",
        ROLE,
    )
    assert {(row["privilege_type"], row["table_name"]) for row in found} == set(GRANTS)
    [may] = world.query(
        "SELECT has_database_privilege(%s, current_database(), 'CREATE') AS makes, rolsuper, "
        "rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s",
        ROLE,
        ROLE,
    )
    assert not any(may.values())
