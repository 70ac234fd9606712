"""Argo Workflows as its Helm chart installs it: Deployments, the controller's ConfigMap, Secrets."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from argo_retention.demo.scenes.building import SceneBuilder
from argo_retention.demo.scenes.scene import Document, PostgresAddress, S3Address

NAMESPACE = "argo"
CONFIG_MAP = "argo-workflows-workflow-controller-configmap"
SERVER = "argo-workflows-server"
CONTROLLER = "argo-workflows-workflow-controller"
DATABASE_SECRET = "argo-postgres-config"  # noqa: S105  the name of a Secret
S3_SECRET = "my-s3-secret"  # noqa: S105  the name of a Secret
OFFLOAD_TABLE = "argo_workflows"
_IMAGE = "quay.io/argoproj/argocli:v4.1.2"
_CONTROLLER_IMAGE = "quay.io/argoproj/workflow-controller:v4.1.2"


def s3_repository(s3: S3Address, bucket: str, *, secret: str = S3_SECRET) -> Document:
    """The map `s3` of an artifact repository."""
    return {
        "accessKeySecret": {"key": "accesskey", "name": secret},
        "bucket": bucket,
        "endpoint": s3.host_and_port,
        "insecure": True,
        "secretKeySecret": {"key": "secretkey", "name": secret},
    }


def install_argo(
    stage: SceneBuilder,
    *,
    retention_policy: Mapping[str, int],
    bucket: str,
    s3: S3Address,
    postgres: PostgresAddress,
) -> None:
    """Put Argo's own objects into the namespace `argo`; `clusterName` only where it is not `default`."""
    stage.put_namespace("kube-system")  # every cluster has it
    stage.put_namespace(NAMESPACE)
    _deployment(
        stage,
        SERVER,
        image=_IMAGE,
        args=["server", f"--configmap={CONFIG_MAP}", "--auth-mode=server", "--secure=false"],
    )
    _deployment(
        stage,
        CONTROLLER,
        image=_CONTROLLER_IMAGE,
        args=["--configmap", CONFIG_MAP, "--executor-image", "quay.io/argoproj/argoexec:v4.1.2"],
    )
    persistence: Document = {"archive": True, "archiveTTL": "180d"}
    if stage.clustername != "default":
        persistence["clusterName"] = stage.clustername
    persistence["postgresql"] = {
        "host": postgres.host,
        "port": postgres.port,
        "database": postgres.database,
        "tableName": OFFLOAD_TABLE,
        "userNameSecret": {"name": DATABASE_SECRET, "key": "username"},
        "passwordSecret": {"name": DATABASE_SECRET, "key": "password"},
    }
    repository = {"archiveLogs": True, "s3": s3_repository(s3, bucket)}
    texts = {
        "retentionPolicy": dict(retention_policy),
        "persistence": persistence,
        "artifactRepository": repository,
    }
    data = {key: yaml.safe_dump(value, sort_keys=False) for key, value in texts.items()}
    stage.put("ConfigMap", CONFIG_MAP, namespace=NAMESPACE, data=data)
    user = {"username": postgres.user, "password": postgres.password}
    put_secret(stage, NAMESPACE, DATABASE_SECRET, user)
    put_s3_secret(stage, NAMESPACE, s3)


def put_s3_secret(
    stage: SceneBuilder, namespace: str, s3: S3Address, *, name: str = S3_SECRET
) -> None:
    """Argo reads the keys of the bucket in the namespace of the workflow."""
    put_secret(stage, namespace, name, {"accesskey": s3.access_key, "secretkey": s3.secret_key})


def put_secret(stage: SceneBuilder, namespace: str, name: str, values: Mapping[str, str]) -> None:
    """A Secret of plain texts."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    stage.put("Secret", name, namespace=namespace, type="Opaque", data=data)


def _deployment(stage: SceneBuilder, name: str, *, image: str, args: Sequence[str]) -> None:
    labels = {
        "app.kubernetes.io/instance": "argo-workflows",
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/part-of": "argo-workflows",
    }
    container: dict[str, Any] = {"name": name, "image": image, "args": list(args)}
    stage.put(
        "Deployment",
        name,
        api_version="apps/v1",
        namespace=NAMESPACE,
        spec={
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
        status={"availableReplicas": 1, "readyReplicas": 1, "replicas": 1},
    )
