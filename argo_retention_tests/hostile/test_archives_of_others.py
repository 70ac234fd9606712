"""Archives that hold more, and older, than what we know: rows of others stay untouched, old shapes are read."""

import base64
import gzip
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from argo_retention.cli.main import main
from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention.sites import CONFIG_VARIABLE
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.oracle import NOTHING, Oracle
from argo_retention_tests.e2e.worlds import World, workflow_path

APPLY: dict[str, Any] = {"retention": {"mode": "apply", "proof_age": 0}}
OTHERS = 100_000
MOST_MEGABYTES = 1200  # fifteen times sixty and what any run has


def put_rows_of_others(world: World, count: int) -> None:
    """Of another cluster, another instance of this cluster, and another namespace's long expired ones."""
    world.execute(
        "INSERT INTO argo_archived_workflows (clustername, instanceid, uid, name, namespace, phase,"
        " startedat, finishedat, creationtimestamp, workflow)"
        " SELECT CASE WHEN n % 2 = 0 THEN 'elsewhere' ELSE %s END, CASE WHEN n % 2 = 0 THEN '' ELSE 'other' END,"
        " 'other-' || n, 'w' || n, 'argo', 'Succeeded', '2020-01-01', '2020-01-01', '2020-01-01',"
        """ jsonb_build_object('metadata', jsonb_build_object('name', 'w' || n, 'uid', 'other-' || n),
            'status', jsonb_build_object('phase', 'Succeeded', 'finishedAt', '2020-01-01T00:00:00Z'))"""
        " FROM generate_series(1, %s) AS n".replace("% 2", "%% 2"),
        world.scene.clustername,
        count,
    )
    world.execute("ANALYZE argo_archived_workflows")  # as autovacuum does


@pytest.mark.timeout(400)
def test_p2_a_hundred_thousand_rows_of_others_stay_as_they_are(new_seed: SeedWorld) -> None:
    world = new_seed(**APPLY, texts={"archiveTTL: 180d": "archiveTTL: 1h"})
    put_rows_of_others(world, OTHERS)

    world.succeed(RETENTION_JOB)
    world.succeed(EXPIRY_JOB)

    [row] = world.query("SELECT count(*) AS rows FROM argo_archived_workflows")
    live = world.live()
    assert row["rows"] == OTHERS + len(live)


OLD_SHAPES: dict[str, dict[str, Any]] = {
    "managedFields": {"metadata": {"managedFields": [{"manager": "argo", "operation": "Update"}]}},
    "no nodes": {"status": {"nodes": None}},
    "no labels": {"metadata": {"labels": None}},
    "compressed nodes left in": {
        "status": {
            "nodes": None,
            "compressedNodes": base64.b64encode(gzip.compress(b"{}")).decode(),
        }
    },
    "offloaded and never whole": {"status": {"offloadNodeStatusVersion": "fnv:1"}},
    "no resourceVersion": {"metadata": {"resourceVersion": ""}},
    "no kind": {"kind": None, "apiVersion": None},
    "no finishedAt": {"status": {"finishedAt": None}},
    "a node of no type": {"status": {"nodes": {"x": {"id": "x"}}}},
    "artifacts without a key": {
        "status": {
            "nodes": {
                "x": {"id": "x", "type": "Pod", "outputs": {"artifacts": [{"name": "main-logs"}]}}
            }
        }
    },
}


def merged(row: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    result = dict(row)
    for key, value in change.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result


def test_p5_rows_as_older_releases_wrote_them_are_read_and_the_others_expire(
    new_seed: SeedWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    record_property: Callable[[str, object], None],
) -> None:
    """What cannot be judged stays; nothing of it stops the run."""
    record_property("inputs", len(OLD_SHAPES))
    world = new_seed(
        **APPLY, hello_worlds=len(OLD_SHAPES) + 4, texts={"archiveTTL: 180d": "archiveTTL: 1m"}
    )
    world.succeed(RETENTION_JOB)
    gone = sorted(set(world.rows()) - set(world.live()))
    for uid, (_, change) in zip(gone, OLD_SHAPES.items(), strict=False):
        row = world.rows()[uid]["workflow"]
        world.execute(
            "UPDATE argo_archived_workflows SET workflow = %s WHERE uid = %s",
            json.dumps(merged(row, change)),
            uid,
        )

    outcome = world.succeed(EXPIRY_JOB)

    assert int(outcome.assets["expiry_outcome"]["expired"]) >= 2
    settings = tmp_path / "retention.yaml"
    settings.write_text(world.settings_text)
    for uid in gone:
        with pytest.raises(SystemExit) as ended:
            main(["explain", uid, "--config", str(settings)])
        assert ended.value.code == 0, capsys.readouterr()
    assert Oracle(world).look().half == NOTHING.half


def test_p2_tables_of_argo_3_5_are_read_and_not_written(
    new_seed: SeedWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There the workflow is json, not jsonb, and rows have no creation time."""
    world = new_seed(**APPLY)
    world.succeed(RETENTION_JOB)
    world.execute("ALTER TABLE argo_archived_workflows ALTER COLUMN workflow TYPE json")
    world.execute("ALTER TABLE argo_archived_workflows DROP COLUMN creationtimestamp")
    world.execute("UPDATE schema_history SET schema_version = 60")
    settings = tmp_path / "retention.yaml"
    settings.write_text(world.settings_text)
    uid = next(iter(world.rows()))

    for command in (["status"], ["explain", uid], ["plan"]):
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*command, "--config", str(settings)])
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        assert ended.value.code in {0, 1}, shown
    assert len(world.rows()) == 6


def test_p1_a_workflow_of_sixty_megabytes_of_nodes_is_archived_whole_in_bounded_memory(
    new_seed: SeedWorld, tmp_path: Path
) -> None:
    world = new_seed(hello_worlds=2, keep_count=0, **APPLY, logs={"save": "none"})
    one = next(iter(world.live().values()))
    [node] = one["status"]["nodes"].values()
    nodes = {
        f"n{number}": {**node, "id": f"n{number}", "type": "Steps", "message": "m" * 20_000}
        for number in range(3000)
    }
    text = json.dumps(nodes).encode()
    assert len(text) > 60_000_000
    packed = base64.b64encode(gzip.compress(text, 1)).decode()
    world.ask(
        "PATCH",
        workflow_path(one),
        {"status": {"nodes": None, "compressedNodes": packed}},
    )

    exit_code, megabytes = run_alone(world, tmp_path)

    assert exit_code == 0
    assert megabytes < MOST_MEGABYTES, megabytes
    row = world.rows()[one["metadata"]["uid"]]
    assert len(row["workflow"]["status"]["nodes"]) == 3000
    assert one["metadata"]["uid"] not in world.live()


def run_alone(world: World, home: Path) -> tuple[int, float]:
    """`argo-retention run retention` in a process of its own: its exit code, and the most memory that it had."""
    config = home / "retention.yaml"
    config.write_text(world.settings_text)
    (home / "dagster.yaml").touch()
    command = str(Path(sys.executable).with_name("argo-retention"))
    environment = {**os.environ, "DAGSTER_HOME": str(home), CONFIG_VARIABLE: str(config)}
    process = os.posix_spawn(command, [command, "run", "retention"], environment)
    _, status, usage = os.wait4(process, 0)  # subprocess does not tell what a child had used
    return os.waitstatus_to_exitcode(status), usage.ru_maxrss / 1024
