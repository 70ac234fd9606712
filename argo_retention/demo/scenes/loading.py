"""Puts scenes into the real servers: rows by COPY, objects many at a time, the cluster as files."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psycopg

from argo_retention.adapters.object_files import open_bucket
from argo_retention.core.artifact_repositories import S3Location
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.demo.scenes.scene import Document, S3Address, Scene

_PUTS_AT_ONCE = 32
_COPY_ROWS = """
COPY argo_archived_workflows
    (clustername, instanceid, uid, name, namespace, phase, startedat, finishedat, creationtimestamp, workflow)
FROM STDIN
"""
_COPY_LABELS = "COPY argo_archived_workflows_labels (clustername, uid, name, value) FROM STDIN"
_COPY_OFFLOAD = """
COPY argo_workflows (clustername, uid, namespace, version, nodes, updatedat, creationtimestamp)
FROM STDIN
"""


def load_rows(dsn: str, scenes: Sequence[Scene]) -> None:
    """Write the archive rows, their labels and the offloaded node status, in one transaction."""
    rows = [row for scene in scenes for row in scene.rows]
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        with cursor.copy(_COPY_ROWS) as copy:
            for row in rows:
                copy.write_row(
                    (
                        row.clustername,
                        row.instanceid,
                        row.uid,
                        row.name,
                        row.namespace,
                        row.phase,
                        row.startedat,
                        row.finishedat,
                        row.creationtimestamp,
                        row.workflow.decode(),
                    )
                )
        with cursor.copy(_COPY_LABELS) as copy:
            for row in rows:
                for name, value in row.labels.items():
                    copy.write_row((row.clustername, row.uid, name, value))
        with cursor.copy(_COPY_OFFLOAD) as copy:
            for offload in (each for scene in scenes for each in scene.offload):
                copy.write_row(
                    (
                        offload.clustername,
                        offload.uid,
                        offload.namespace,
                        offload.version,
                        offload.nodes,
                        offload.updatedat,
                        offload.updatedat,
                    )
                )


def load_objects(s3: S3Address, scenes: Sequence[Scene]) -> None:
    """Put the objects of all scenes, none of which may be there; their buckets must be."""
    keys = S3Credentials(access_key=s3.access_key, secret_key=s3.secret_key, session_token=None)
    objects = [each for scene in scenes for each in scene.s3_objects]
    buckets = {
        bucket: open_bucket(S3Location(endpoint=s3.endpoint, bucket=bucket), keys)
        for bucket in {each.bucket for each in objects}
    }
    with ThreadPoolExecutor(_PUTS_AT_ONCE, thread_name_prefix="put") as pool:
        for _ in pool.map(lambda o: buckets[o.bucket].put_if_absent(o.key, o.body, {}), objects):
            pass


def write_state(folder: Path, scene: Scene) -> None:
    """Write the files that an emulated Kubernetes API starts from; its tokens are for the owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_lines(folder / "objects.ndjson", scene.objects)
    _write_lines(folder / "pod_logs.ndjson", scene.pod_logs)
    (folder / "access.json").write_bytes(msgspec.json.encode(scene.access))


def _write_lines(path: Path, documents: Iterable[Document]) -> None:
    encoder = msgspec.json.Encoder()
    path.write_bytes(b"".join(encoder.encode(each) + b"\n" for each in documents))
