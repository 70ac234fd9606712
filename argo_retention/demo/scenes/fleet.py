"""The scene `fleet`: a cluster of five teams that has been in use for 200 days, with every trap we know."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from argo_retention.core.archive_rows import ArchiveRow
from argo_retention.core.labels import HOLD
from argo_retention.demo.scenes import generated, trap_setter
from argo_retention.demo.scenes.building import SceneBuilder
from argo_retention.demo.scenes.generated import put_generated
from argo_retention.demo.scenes.golden import Golden, read_golden
from argo_retention.demo.scenes.installation import (
    NAMESPACE,
    install_argo,
    put_s3_secret,
    s3_repository,
)
from argo_retention.demo.scenes.scene import Document, OffloadRow, PostgresAddress, S3Address, Scene
from argo_retention.demo.scenes.traps import set_traps
from argo_retention.demo.scenes.workflows import Maker

NAME = "fleet"
CLUSTER_NAME = "default"
BUCKET = "my-bucket"
GOLDEN_NAMESPACES = ("team-a", "team-b")
#: The recorded workflows name this Secret.
GOLDEN_SECRET = "my-s3-cred"  # noqa: S105  the name of a Secret
_TEAMS = (generated.CI, generated.TRAINING, generated.ETL, trap_setter.TRAPS, trap_setter.TWIN)


def fleet_scene(*, now: datetime, s3: S3Address, postgres: PostgresAddress) -> Scene:
    """The recorded workflows, those of three more teams, and the traps."""
    now = now.replace(microsecond=0)
    stage = SceneBuilder(name=NAME, clustername=CLUSTER_NAME, now=now)
    install_argo(
        stage,
        retention_policy={"completed": 3, "failed": 3, "errored": 3},
        bucket=BUCKET,
        s3=s3,
        postgres=postgres,
    )
    for namespace in (*GOLDEN_NAMESPACES, *_TEAMS):
        stage.put_namespace(namespace)
    stage.put_namespace(trap_setter.HELD, {HOLD: "audit until the end of the quarter"})
    for namespace in (NAMESPACE, *GOLDEN_NAMESPACES):
        put_s3_secret(stage, namespace, s3, name=GOLDEN_SECRET)
    for namespace in (*_TEAMS, trap_setter.HELD):
        put_s3_secret(stage, namespace, s3)
    _put_golden(stage, read_golden())
    maker = Maker(stage=stage, repository={"archiveLogs": True, "s3": s3_repository(s3, BUCKET)})
    put_generated(stage, maker, now=now)
    set_traps(stage, maker, now=now)
    stage.buckets.extend(sorted({BUCKET} | {bucket for bucket, _ in stage.s3_objects}))
    return stage.build(s3=s3, settings=_settings(s3))


def _settings(s3: S3Address) -> Document:
    """What retention.yaml says of this cluster. Without guards the first rule would remove every trap."""
    return {
        "retention": {"mode": "apply", "proof_age": 0},
        "argo": {
            "retentionPolicy": {"completed": 20, "failed": 5, "errored": 5},
            "archiveTTL": "180d",
        },
        "rules": [
            {
                "name": "traps",
                "match": {"namespaces": ["traps*"]},
                "keep": {"last": 0},
                "archive": {"ttl": "90d"},
            },
            {
                "name": "ci-failures",
                "match": {"namespaces": ["ci-*"], "phases": ["Failed", "Error"]},
                "keep": {"last": 5, "within": "3d"},
                "archive": {"ttl": "90d"},
            },
            {
                "name": "ci-noise",
                "match": {"namespaces": ["ci-*"]},
                "group_by": ["namespace", "template"],
                "keep": {"last": 10, "within": "1d"},
                "archive": {"ttl": "60d"},
            },
            {
                "name": "training",
                "match": {"namespaces": ["ml-*"], "selector": "tier!=gold"},
                "keep": {"last": 3, "within": "2d"},
                "logs": {"save": "all"},
            },
            {
                "name": "nightly",
                "match": {"namespaces": [generated.ETL], "template": "nightly-*"},
                "keep": {"daily": 5},
            },
        ],
        "brakes": {"max_deletions": 5000, "max_share": 0.9, "per_second": 200},
        "bucket": {"exclusive": True},
        "logs": {"save": "argo", "parallel": 32},
        # The recorded workflows name an endpoint that is not here.
        "s3": {"endpoint": s3.host_and_port},
    }


def _put_golden(stage: SceneBuilder, golden: Golden) -> None:
    """Put the recorded workflows on the stage as they are, with their versions and times."""
    stage.objects.extend(
        {"apiVersion": "v1", "kind": "ConfigMap", **each} for each in golden.config_maps
    )
    stage.objects.extend(golden.workflow_templates)
    stage.objects.extend(golden.workflows)
    stage.objects.extend({"apiVersion": "v1", "kind": "Pod", **each} for each in golden.pods)
    texts = {
        tuple(each["key"].rsplit("/", 2)[-2:]): each["text"] for each in golden.objects
    }  # (pod, file) → what it printed
    for pod in golden.pods:
        metadata = pod["metadata"]
        for container in pod["spec"]["containers"]:
            name, file = metadata["name"], f"{container['name']}.log"
            text = texts.get((name, file), f"{name} line 1\n{name} line 2\n")
            stage.pod_logs.append(
                {
                    "namespace": metadata["namespace"],
                    "pod": name,
                    "container": container["name"],
                    "body": text,
                }
            )
    for each in golden.objects:
        stage.s3_objects[each["bucket"], each["key"]] = each["text"].encode()
    stage.rows.extend(_row(each) for each in golden.rows)
    stage.offload.extend(
        OffloadRow(
            clustername=each["clustername"],
            uid=each["uid"],
            namespace=each["namespace"],
            version=each["version"],
            nodes=msgspec.json.encode(each["nodes"]).decode(),
            updatedat=_column(each["updatedat"]),
        )
        for each in golden.offload
    )


def _row(columns: Mapping[str, Any]) -> ArchiveRow:
    return ArchiveRow(
        clustername=columns["clustername"],
        instanceid=columns["instanceid"],
        uid=columns["uid"],
        name=columns["name"],
        namespace=columns["namespace"],
        phase=columns["phase"],
        startedat=_column(columns["startedat"]),
        finishedat=_column(columns["finishedat"]),
        creationtimestamp=_column(columns["creationtimestamp"]),
        workflow=msgspec.json.encode(columns["workflow"]),
        labels=columns["labels"],
        resource_version=int(columns["workflow"]["metadata"]["resourceVersion"]),
    )


def _column(text: str) -> datetime:
    """A time without a zone, which is UTC."""
    return datetime.fromisoformat(text)
