"""Worlds for whole runs: the demo's fleet and seed worked through once, and small seeds for tests that change things."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from argo_retention.cli.executing import RunOutcome
from argo_retention.cli.main import main
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.demo.scenes.fleet import fleet_scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention_tests.e2e.worlds import JOBS, Servers, World, seed_world, utc_now

SeedWorld = Callable[..., World]
Cli = Callable[..., tuple[int, str]]


@dataclass(frozen=True, kw_only=True)
class Worked:
    """A world after archive, retention and expiry."""

    world: World
    outcomes: dict[str, RunOutcome] = field(repr=False)  # by job


@pytest.fixture(scope="session")
def servers(postgres: PostgresServer, s3: S3Server, argo_template: str) -> Servers:
    return Servers(postgres=postgres, s3=s3, template=argo_template)


@pytest.fixture(scope="session")
def worked(
    servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Worked]]:
    """The demo's clusters after all three jobs, in its order; nobody may change them."""
    folder = tmp_path_factory.mktemp("worked")
    with servers.database() as database:
        where = {"s3": servers.s3_address, "postgres": servers.postgres_address(database)}
        now = utc_now()
        scenes = [fleet_scene(now=now, **where), seed_scene(now=now, **where)]
        with servers.worlds(scenes, database=database, folder=folder) as worlds:
            outcomes = {job: [world.run(job) for world in worlds] for job in JOBS}
            yield {
                world.scene.name: Worked(
                    world=world, outcomes={job: outcomes[job][place] for job in JOBS}
                )
                for place, world in enumerate(worlds)
            }


@pytest.fixture
def new_seed(servers: Servers, tmp_path: Path) -> Iterator[SeedWorld]:
    """Makes a small seed of its own; the options are those of `seed_world`."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(seed_world(servers, tmp_path, **options))


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    """(exit code, what stands on stdout) of a command on the settings of a world."""

    def call(world: World, *args: str) -> tuple[int, str]:
        settings = tmp_path / "retention.yaml"
        settings.write_text(world.settings_text)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*args, "--config", str(settings)])
        return int(ended.value.code or 0), capsys.readouterr().out

    return call
