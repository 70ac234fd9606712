"""A scene as a value: all that one emulated cluster, its archive rows and its bucket hold at the start."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from argo_retention.core.archive_rows import ArchiveRow

Document = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Address:
    """Where the bucket is; the keys are never shown."""

    endpoint: str  # http://host:port
    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)

    @property
    def host_and_port(self) -> str:
        """The endpoint as Argo's configuration has it."""
        return self.endpoint.partition("://")[2]


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresAddress:
    """Where the archive is; the password is never shown."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Object:
    """One object of a bucket."""

    bucket: str
    key: str
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class OffloadRow:
    """A row of `argo_workflows`: the node status of a workflow at one version."""

    clustername: str
    uid: str
    namespace: str
    version: str
    nodes: str  # JSON
    updatedat: datetime  # naive UTC


@dataclass(frozen=True, kw_only=True, slots=True)
class Trap:
    """A workflow, or a row, on which a careless retention would lose something.

    `ends` says what must have become of it after archive, retention and expiry.
    """

    namespace: str
    name: str
    uid: str
    clustername: str
    live: bool  # whether it is in the cluster at the start
    stays_live: bool  # whether it is in the cluster at the end
    row_at_end: bool  # whether it has an archive row at the end
    reason: str  # of the retention plan for what stays, of the expiry for rows; "" for what goes
    ends: str
    keeps: tuple[
        tuple[str, str], ...
    ] = ()  # (bucket, key) of objects that must be there at the end
    loses: tuple[tuple[str, str], ...] = ()  # (bucket, key) of objects that must be gone

    @property
    def path(self) -> str:
        """namespace/name."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """One cluster at the start."""

    name: str  # of the cluster in retention.yaml, which is the Dagster partition
    clustername: str  # Argo's clusterName
    objects: Sequence[Document] = field(repr=False)  # Kubernetes objects, Secrets too
    pod_logs: Sequence[Document]  # lines of pod_logs.ndjson
    access: Document = field(repr=False)  # access.json
    token: str = field(repr=False)  # with the rights that the product needs
    admin_token: str = field(repr=False)
    rows: Sequence[ArchiveRow] = ()
    offload: Sequence[OffloadRow] = ()
    buckets: Sequence[str] = ()
    s3_objects: Sequence[S3Object] = ()
    settings: Document = field(
        default_factory=dict
    )  # of this cluster in retention.yaml, no kubeconfig
    traps: Mapping[str, Trap] = field(default_factory=dict)

    @property
    def workflows(self) -> list[Document]:
        """The live workflows."""
        return [each for each in self.objects if each["kind"] == "Workflow"]


#: What the product asks of the Kubernetes API, and nothing more.
#: Those of deploy/rbac-with-secrets.yaml, as a test compares.
RULES: tuple[Mapping[str, Sequence[str]], ...] = (
    {
        "apiGroups": ["argoproj.io"],
        "resources": ["workflows"],
        "verbs": ["list", "get", "watch", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
    {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]},
    {
        "apiGroups": ["argoproj.io"],
        "resources": ["cronworkflows", "workflowtemplates"],
        "verbs": ["list"],
    },
)


def token_for(s3: S3Address, cluster: str, role: str) -> str:
    """A token that is new for each start of the servers, and the same for one start."""
    text = f"{s3.secret_key}/{cluster}/{role}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def access_document(*, token: str, admin_token: str) -> Document:
    """access.json with the product's rights and an administrator's."""
    rules = [dict(rule) for rule in RULES]
    return {
        "tokens": {
            token: {"user": "system:serviceaccount:argo:argo-retention", "rules": rules},
            admin_token: {"user": "kubernetes-admin", "admin": True},
        }
    }
