"""One real API server for all tests of this folder; the last line says which."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention_tests.cluster.server import RealServer
from argo_retention_tests.cluster.test_seed import put_role
from argo_retention_tests.cluster.world import RealWorld
from argo_retention_tests.e2e.worlds import Servers

VERSION = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RealServer]:
    with RealServer(tmp_path_factory.mktemp("api-server")) as server:
        request.config.stash[VERSION] = server.version
        put_role(server)
        yield server


@pytest.fixture(scope="session")
def real_servers(postgres: PostgresServer, s3: S3Server, argo_template: str) -> Servers:
    return Servers(postgres=postgres, s3=s3, template=argo_template)


@pytest.fixture
def world(server: RealServer, tmp_path: Path) -> Iterator[RealWorld]:
    world = RealWorld(server, tmp_path)
    yield world
    world.close()


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    count = {word: len(terminalreporter.stats.get(word, ())) for word in ("passed", "skipped")}
    version = terminalreporter.config.stash.get(VERSION, "no kube-apiserver")
    terminalreporter.write_line(
        f"{count['passed']} passed, {count['skipped']} skipped on kube-apiserver {version}"
    )
