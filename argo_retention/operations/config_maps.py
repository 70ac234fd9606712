"""ConfigMaps that name artifact repositories, read once a run."""

import threading
from collections.abc import Mapping
from typing import Any

from argo_retention.core.ports.cluster import Cluster


class ConfigMaps:
    """Finds ConfigMaps by namespace and name and remembers them, also those that are not there."""

    def __init__(self, cluster: Cluster) -> None:
        """Nothing is read yet."""
        self._cluster = cluster
        self._found: dict[tuple[str, str], Mapping[str, Any] | None] = {}
        self._lock = threading.Lock()

    def find(self, namespace: str, name: str) -> Mapping[str, Any] | None:
        """Return the ConfigMap, None for 404. Raises ClusterError."""
        with self._lock:
            key = (namespace, name)
            if key not in self._found:
                self._found[key] = self._cluster.get_object(
                    kind="ConfigMap", namespace=namespace, name=name
                )
            return self._found[key]
