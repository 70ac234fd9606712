"""The servers that commands are run against."""

from collections.abc import Iterator

import pytest

from argo_retention.demo.kube_api.process import KubeApiProcess
from argo_retention.demo.s3_server import S3Server
from argo_retention_tests.cli.operators_world import OperatorsWorld, write_access


@pytest.fixture(scope="session")
def operators_world(
    tmp_path_factory: pytest.TempPathFactory, s3: S3Server
) -> Iterator[OperatorsWorld]:
    """An emulated API server with whatever installations the tests put in."""
    state = tmp_path_factory.mktemp("operators-api")
    write_access(state)
    with KubeApiProcess() as process:
        world = OperatorsWorld(process.start(state), tmp_path_factory.mktemp("operators"), s3)
        yield world
        world.close()
