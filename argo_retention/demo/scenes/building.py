"""Collects the parts of a scene, and gives out the versions and uids that make it the same every time."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from argo_retention.core.archive_rows import ArchiveRow, build_row
from argo_retention.demo.scenes.scene import (
    Document,
    OffloadRow,
    S3Address,
    S3Object,
    Scene,
    Trap,
    access_document,
    token_for,
)

_UIDS = uuid.UUID("6f1d4f0a-3a52-4f0e-9a35-0f4d3c0b7a11")
#: Between the versions of two objects; Argo's row of an object is of an earlier version than the object.
_STEP = 10
ROW_IS_BEHIND = 3


def stamp(moment: datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def uid_of(*parts: str) -> str:
    """A uid that depends on the parts alone."""
    return str(uuid.uuid5(_UIDS, "/".join(parts)))


@dataclass(kw_only=True, slots=True)
class Log:
    """What one container of one pod printed, and where Argo's executor stores it."""

    pod: str
    container: str
    node_id: str
    body: bytes
    bucket: str
    key: str


@dataclass(kw_only=True, slots=True)
class Run:
    """One workflow with its pods and logs, before it is put on the stage; traps change it."""

    workflow: Document
    pods: list[Document]
    logs: list[Log]

    @property
    def metadata(self) -> Document:
        """The workflow's metadata."""
        metadata: Document = self.workflow["metadata"]
        return metadata

    @property
    def nodes(self) -> Document:
        """The nodes by id."""
        nodes: Document = self.workflow["status"]["nodes"]
        return nodes

    @property
    def uid(self) -> str:
        """The workflow's uid."""
        return str(self.metadata["uid"])

    @property
    def objects(self) -> tuple[tuple[str, str], ...]:
        """(bucket, key) of its logs."""
        return tuple((log.bucket, log.key) for log in self.logs)

    def name_logs(self) -> None:
        """Put the artifacts `<container>-logs` into the nodes, as the executor does when it stored them."""
        for log in self.logs:
            outputs = self.nodes[log.node_id].setdefault("outputs", {"exitCode": "0"})
            artifact = {"name": f"{log.container}-logs", "s3": {"key": log.key}}
            outputs.setdefault("artifacts", []).append(artifact)


@dataclass(kw_only=True, slots=True)
class SceneBuilder:
    """The scene as it grows."""

    name: str
    clustername: str
    now: datetime
    version: int = 100_000
    objects: list[Document] = field(default_factory=list)
    pod_logs: list[Document] = field(default_factory=list)
    rows: list[ArchiveRow] = field(default_factory=list)
    offload: list[OffloadRow] = field(default_factory=list)
    buckets: list[str] = field(default_factory=list)
    s3_objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    traps: dict[str, Trap] = field(default_factory=dict)

    def next_version(self) -> str:
        """A resourceVersion above all that were given out."""
        self.version += _STEP
        return str(self.version)

    def put(
        self,
        kind: str,
        name: str,
        *,
        api_version: str = "v1",
        namespace: str = "",
        annotations: Mapping[str, str] | None = None,
        age_days: int = 400,
        **fields: Any,
    ) -> None:
        """Add an object of another kind than workflows and pods."""
        day = self.now.timestamp() - age_days * 86400
        metadata: Document = {
            "name": name,
            "uid": uid_of(self.name, kind, namespace, name),
            "resourceVersion": self.next_version(),
            "creationTimestamp": stamp(datetime.fromtimestamp(day, UTC)),
        }
        if namespace:
            metadata["namespace"] = namespace
        if annotations:
            metadata["annotations"] = dict(annotations)
        self.objects.append(
            {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}
        )

    def put_namespace(self, name: str, annotations: Mapping[str, str] | None = None) -> None:
        """Add a namespace as the server would have made it."""
        self.put(
            "Namespace",
            name,
            annotations=annotations,
            spec={"finalizers": ["kubernetes"]},
            status={"phase": "Active"},
        )
        self.objects[-1]["metadata"]["labels"] = {"kubernetes.io/metadata.name": name}

    def put_live(self, run: Run, *, with_pods: bool = True) -> None:
        """Put the workflow into the cluster, with its pods and what they printed."""
        self.objects.append(run.workflow)
        if with_pods:
            self.objects.extend(run.pods)
            self.pod_logs.extend(
                {
                    "namespace": run.metadata["namespace"],
                    "pod": log.pod,
                    "container": log.container,
                    "body": log.body.decode(),
                }
                for log in run.logs
            )

    def put_stored(self, run: Run) -> None:
        """Put its logs into the bucket; an object that is there is overwritten, as the executor does."""
        for log in run.logs:
            self.s3_objects[log.bucket, log.key] = log.body

    def put_row(
        self,
        run: Run,
        *,
        clustername: str | None = None,
        instanceid: str = "",
        workflow: Mapping[str, Any] | None = None,
        behind: int = ROW_IS_BEHIND,
    ) -> None:
        """Write the row that Argo wrote: of a version before the archiving label was set."""
        document = run.workflow if workflow is None else workflow
        metadata = document["metadata"]
        archived = {
            **document,
            "metadata": {
                **metadata,
                "resourceVersion": str(int(metadata["resourceVersion"]) - behind),
                "generation": metadata["generation"] - 1,
            },
        }
        self.rows.append(
            build_row(archived, clustername=clustername or self.clustername, instanceid=instanceid)
        )

    def build(self, *, s3: S3Address, settings: Document) -> Scene:
        """The scene, with new tokens."""
        token = token_for(s3, self.name, "argo-retention")
        admin_token = token_for(s3, self.name, "admin")
        return Scene(
            name=self.name,
            clustername=self.clustername,
            objects=tuple(self.objects),
            pod_logs=tuple(self.pod_logs),
            access=access_document(token=token, admin_token=admin_token),
            token=token,
            admin_token=admin_token,
            rows=tuple(self.rows),
            offload=tuple(self.offload),
            buckets=tuple(self.buckets),
            s3_objects=tuple(
                S3Object(bucket=bucket, key=key, body=body)
                for (bucket, key), body in self.s3_objects.items()
            ),
            settings=settings,
            traps=dict(self.traps),
        )
