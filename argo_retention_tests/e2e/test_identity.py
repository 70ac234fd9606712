"""P1 on real parts: a database from a backup, another database, another bucket or another cluster delete nothing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from argo_retention.cli.main import main
from argo_retention.defs.jobs import ARCHIVE_JOB, RETENTION_JOB
from argo_retention_tests.e2e.conftest import SeedWorld
from argo_retention_tests.e2e.worlds import OUR_FILES, World

IDENTITY = f"{OUR_FILES}identity.json"
TABLES = ("installation", "clusters", "archived_versions", "log_objects", "log_references")


def restore_database(world: World) -> None:
    """As from a dump of before the last run."""
    world.execute("UPDATE argo_retention.installation SET runs = runs - 1")


def forget_everything(world: World) -> None:
    """As another database that Argo made its tables in."""
    for table in TABLES:
        world.execute(f"DELETE FROM argo_retention.{table}".encode())


def rebuild_cluster(world: World) -> None:
    """The same names, another uid of kube-system."""
    world.execute("UPDATE argo_retention.clusters SET cluster_uid = 'of-the-old-cluster'")


def set_back_etcd(world: World) -> None:
    world.execute("UPDATE argo_retention.clusters SET resource_version = 999999999999")


def empty_bucket(world: World) -> None:
    world.succeed(ARCHIVE_JOB)  # the second run has found the file
    world.files().delete(IDENTITY)


MOVES: dict[str, tuple[Callable[[World], None], str]] = {
    "database of a backup": (restore_database, "the database moved back"),
    "another database": (forget_everything, "database or bucket moved"),
    "another cluster": (rebuild_cluster, "the cluster moved: the uid"),
    "etcd of a backup": (set_back_etcd, "the cluster moved back"),
    "empty bucket": (empty_bucket, "the bucket moved"),
}


@pytest.mark.parametrize(("move", "expected"), MOVES.values(), ids=MOVES)
def test_p1_nothing_goes_until_a_person_accepts(
    new_seed: SeedWorld,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    move: Callable[[World], None],
    expected: str,
) -> None:
    world = new_seed(hello_worlds=4, keep_count=1)
    world.succeed(ARCHIVE_JOB)
    move(world)

    refused = world.run(RETENTION_JOB)

    assert not refused.success
    assert expected in str(refused.failure)
    assert len(world.live()) == 4
    settings = tmp_path / "retention.yaml"
    settings.write_text(world.settings_text)
    with pytest.raises(SystemExit) as ended:
        main(["accept", world.scene.name, "--because", "we did it", "--config", str(settings)])
    assert ended.value.code == 0
    assert f"{world.scene.name}: accepted. {expected[0].upper()}{expected[1:]}" in " ".join(
        capsys.readouterr().out.split()
    )
    assert [row["because"] for row in world.ledger("acceptances")] == ["we did it"]
    world.succeed(RETENTION_JOB)
    assert len(world.live()) == 1
