"""Puts scenes into the real servers: rows by COPY, objects many at a time, the cluster as files."""

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import psycopg
from obstore.store import S3Store

from argo_retention.demo.scenes.scene import Document, S3Address, S3Object, Scene

_PUTS_AT_ONCE = 24
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


def load_objects(s3: S3Address, scenes: Sequence[Scene], *, region: str) -> None:
    """Put the objects of all scenes; their buckets must be there."""
    asyncio.run(_put_all(s3, [each for scene in scenes for each in scene.s3_objects], region))


async def _put_all(s3: S3Address, objects: Sequence[S3Object], region: str) -> None:
    stores = {
        bucket: S3Store(
            bucket,
            endpoint=s3.endpoint,
            access_key_id=s3.access_key,
            secret_access_key=s3.secret_key,
            region=region,
            virtual_hosted_style_request=False,
            client_options={"allow_http": True},
        )
        for bucket in {each.bucket for each in objects}
    }
    room = asyncio.Semaphore(_PUTS_AT_ONCE)

    async def put(each: S3Object) -> None:
        async with room:
            await stores[each.bucket].put_async(each.key, each.body)

    await asyncio.gather(*(put(each) for each in objects))


def write_state(folder: Path, scene: Scene) -> None:
    """Write the files that an emulated Kubernetes API starts from; its tokens are for the owner only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_lines(folder / "objects.ndjson", scene.objects)
    _write_lines(folder / "pod_logs.ndjson", scene.pod_logs)
    (folder / "access.json").write_bytes(msgspec.json.encode(scene.access))


def _write_lines(path: Path, documents: Iterable[Document]) -> None:
    encoder = msgspec.json.Encoder()
    path.write_bytes(b"".join(encoder.encode(each) + b"\n" for each in documents))
