"""Argo's own objects in a fake cluster."""

import base64
from collections.abc import Mapping, Sequence

import yaml

from argo_retention_tests.fakes.cluster import FakeCluster

NAMESPACE = "argo"
CONFIG_MAP = "workflow-controller-configmap"
PERSISTENCE = {
    "archive": True,
    "postgresql": {
        "host": "db",
        "database": "argo",
        "tableName": "argo_workflows",
        "userNameSecret": {"name": "postgres", "key": "username"},
        "passwordSecret": {"name": "postgres", "key": "password"},
    },
}
S3 = {
    "endpoint": "s3.example:9000",
    "bucket": "logs",
    "keyFormat": "{{workflow.uid}}/{{pod.name}}",
    "accessKeySecret": {"name": "s3", "key": "accesskey"},
    "secretKeySecret": {"name": "s3", "key": "secretkey"},
}
REPOSITORY = {"archiveLogs": True, "s3": S3}


def put_deployment(
    cluster: FakeCluster,
    name: str,
    *,
    image: str = "",
    args: Sequence[str] = (),
    command: Sequence[str] = (),
    namespace: str = NAMESPACE,
    env: Sequence[Mapping[str, str]] = (),
) -> None:
    container = {"image": image, "args": list(args), "command": list(command), "env": list(env)}
    cluster.add(
        {
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"template": {"spec": {"containers": [container]}}},
        }
    )


def put_secret(cluster: FakeCluster, name: str, values: Mapping[str, str]) -> None:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in values.items()}
    cluster.add(
        {"kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": data}
    )


def put_configmap(
    cluster: FakeCluster,
    data: Mapping[str, object],
    *,
    name: str = CONFIG_MAP,
    labels: Mapping[str, str] | None = None,
) -> None:
    """Values that are not text become YAML."""
    texts = {
        key: value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False)
        for key, value in data.items()
    }
    cluster.add(
        {
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(labels or {})},
            "data": texts,
        }
    )


def put_argo(
    cluster: FakeCluster, data: Mapping[str, object] | None = None, *, args: Sequence[str] = ()
) -> None:
    """Server, controller, ConfigMap and Secrets; `data` adds to the ConfigMap or replaces (None takes out)."""
    put_deployment(
        cluster, "argo-server", image="argocli:v4", args=["server", "--auth-mode=server", *args]
    )
    put_deployment(cluster, "workflow-controller", image="workflow-controller@sha256:1", args=args)
    whole = {"persistence": PERSISTENCE, "artifactRepository": REPOSITORY, **(data or {})}
    put_configmap(cluster, {key: value for key, value in whole.items() if value is not None})
    put_secret(cluster, "postgres", {"username": "argo", "password": "secret-password"})
    put_secret(cluster, "s3", {"accesskey": "AK", "secretkey": "secret-key"})
