"""A scripted API server, and the adapter that leads to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention_tests.adapters.kubernetes_cluster.scripted_api import (
    ScriptedApi,
    scripted_api,
)


@pytest.fixture
def api() -> Iterator[ScriptedApi]:
    with scripted_api() as given:
        yield given


@pytest.fixture
def cluster(api: ScriptedApi, tmp_path: Path) -> Iterator[KubernetesCluster]:
    made = api.cluster(tmp_path)
    yield made
    made.close()
