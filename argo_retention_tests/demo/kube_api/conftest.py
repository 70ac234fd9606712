import asyncio
from collections.abc import Iterator

import pytest

from argo_retention_tests.demo.kube_api.client import Client, make_api


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def client(runner: asyncio.Runner) -> Client:
    """An emulator with an empty namespace `demo`."""
    client = Client(api=make_api(), runner=runner)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}
    assert client.call("POST", "/api/v1/namespaces", namespace).status == 201
    return client
