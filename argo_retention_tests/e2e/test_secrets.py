"""P8: tokens, passwords and keys are seen nowhere, whatever goes well or wrong.

The servers make their secrets at random when they start, so each is a marker that can be searched for.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import psycopg
import pytest

from argo_retention.defs.jobs import EXPIRY_JOB, PLAN_JOB, RETENTION_JOB
from argo_retention.snapshots import load_snapshot
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.test_broken_parts import broken_yaml, read_only, wrong_password
from argo_retention_tests.e2e.worlds import OUR_FILES, Servers, World, credentials_of, later

SENT_OUT_OF_ORDER = {"status": 500, "match": {"path_regex": "/log"}}


def secrets_of(world: World, servers: Servers) -> list[str]:
    plain = [
        world.scene.token,
        world.scene.admin_token,
        servers.s3.secret_key,
        servers.s3.access_key,
        servers.postgres.password,
    ]
    return [*plain, *(quote(secret, safe="") for secret in plain)]


def everything_written(world: World, folder: Path) -> Iterator[tuple[str, str]]:
    """(where, text) of all that a run leaves behind where somebody may look."""
    for run in world.instance.get_runs():
        yield f"run {run.run_id}", repr(run)
        for record in world.instance.all_logs(run.run_id):
            yield f"event of run {run.run_id}", repr(record)
    for path in folder.rglob("*"):
        if path.is_file():
            yield f"Dagster's file {path.name}", path.read_bytes().decode(errors="replace")
    with psycopg.connect(world.dsn) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'argo_retention'"
        ).fetchall()
    for (table,) in tables:
        name = psycopg.sql.Identifier("argo_retention", table)
        yield f"table {table}", repr(world.query(psycopg.sql.SQL("SELECT * FROM {}").format(name)))
    for key in world.files().keys(OUR_FILES):
        if not key.endswith(".parquet"):
            body = world.body(world.scene.buckets[0], key) or b""
            yield f"file {key}", repr(gzip.decompress(body) if key.endswith(".gz") else body)
            continue
        frame = load_snapshot(
            f"s3://{world.scene.buckets[0]}/{key}",
            endpoint=world.s3.endpoint,
            insecure=True,
            credentials=credentials_of(world.s3),
        )
        yield f"file {key}", repr(frame.to_dict("records"))


def test_p8_no_secret_is_seen_anywhere(
    new_seed: SeedWorld, servers: Servers, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One world through good runs and through failures of each part, which are what talks most."""
    home = tmp_path / "home"
    home.mkdir()
    world = new_seed(texts={"archiveTTL: 180d": "archiveTTL: 1m"})
    outcomes = []
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        world.instance = instance
        world.fault(status=500, times=1, match={"path_regex": "/log"})
        outcomes += [world.run(job, clock=later(minutes=2)) for job in (PLAN_JOB, RETENTION_JOB)]
        world.fault(status=503)
        outcomes.append(world.run(RETENTION_JOB))
        world.mend()
        world.fault(status=401)
        outcomes.append(world.run(EXPIRY_JOB))
        world.mend()
        read_only(world)
        outcomes.append(world.run(RETENTION_JOB))
        wrong_password(world)
        outcomes.append(world.run(EXPIRY_JOB))
        broken_yaml(world)
        outcomes.append(world.run(EXPIRY_JOB))
        written = list(everything_written(world, home))

    written.append(("output", "".join(capfd.readouterr())))
    written.append(("outcomes", repr(outcomes)))
    written.append(("settings", repr(world.settings)))
    assert [o.success for o in outcomes] == [True, True, False, False, False, False, False]
    assert len(written) > 100
    found = [
        where for where, text in written for secret in secrets_of(world, servers) if secret in text
    ]
    assert found == []
