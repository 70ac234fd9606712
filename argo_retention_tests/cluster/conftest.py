"""One real API server for all tests of a worker; the last line says which."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention_tests.cluster.seeding import RealServers, put_role
from argo_retention_tests.cluster.server import RealServer
from argo_retention_tests.cluster.world import RealWorld
from argo_retention_tests.e2e.conftest import Worked, cli, new_seed  # noqa: F401
from argo_retention_tests.e2e.worlds import JOBS, seed_world

VERSION = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RealServer]:
    with RealServer(tmp_path_factory.mktemp("api-server")) as server:
        request.config.stash[VERSION] = server.version
        if hasattr(request.config, "workeroutput"):
            request.config.workeroutput["kube-apiserver"] = server.version
        put_role(server)
        yield server


@pytest.fixture(scope="session")
def servers(
    server: RealServer, postgres: PostgresServer, s3: S3Server, argo_template: str
) -> RealServers:
    """What the whole runs of `make test` get here, too."""
    return RealServers(server=server, postgres=postgres, s3=s3, template=argo_template)


@pytest.fixture
def worked(servers: RealServers, tmp_path: Path) -> Iterator[dict[str, Worked]]:
    """The demo's seed after all three jobs. Not for the session: all worlds share the server's namespaces."""
    with seed_world(servers, tmp_path, hello_worlds=10, keep_count=3) as world:
        yield {"seed": Worked(world=world, outcomes={job: world.run(job) for job in JOBS})}


@pytest.fixture
def world(server: RealServer, tmp_path: Path) -> Iterator[RealWorld]:
    world = RealWorld(server, tmp_path)
    yield world
    world.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two cases are for the emulator: a clock that jumps when it is told to, and the demo's fleet, whose ages and
    uids are what a real server gives by itself."""
    items[:] = [each for each in items if not _for_the_emulator(each)]


def _for_the_emulator(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is not None and (
        callspec.params.get("name") == "fleet"
        or (callspec.id == "clock" and "breaks" in callspec.params)
    )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker of xdist ended: it knows the server, and this process prints the last line."""
    output = getattr(node, "workeroutput", {})
    if "kube-apiserver" in output:
        node.config.stash[VERSION] = output["kube-apiserver"]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    count = {word: len(terminalreporter.stats.get(word, ())) for word in ("passed", "skipped")}
    version = terminalreporter.config.stash.get(VERSION, "no kube-apiserver")
    terminalreporter.write_line(
        f"{count['passed']} passed, {count['skipped']} skipped on kube-apiserver {version}"
    )
