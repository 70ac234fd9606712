"""The cluster that a contract test runs on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from argo_retention.demo.kube_api.process import KubeApiProcess
from argo_retention_tests.contracts.cluster_worlds import (
    EmulatorWorld,
    FakeWorld,
    World,
    write_state,
)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[KubeApiProcess, Path]]:
    folder = tmp_path_factory.mktemp("kube-api")
    write_state(folder)
    with KubeApiProcess() as process:
        yield process.start(folder), folder


@pytest.fixture(params=["fake", "emulator"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    if request.param == "fake":
        yield FakeWorld()
        return
    emulated = EmulatorWorld(*request.getfixturevalue("emulator"))
    yield emulated
    emulated.call("DELETE", "/apis/argoproj.io/v1alpha1/namespaces/team-a/workflows")
    emulated.close()
