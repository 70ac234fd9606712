"""What surveying and saving logs share: a workflow made whole, and one log that is to be saved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec import structs

from argo_retention.core.artifact_repositories import ArtifactRepository, S3Location
from argo_retention.core.identities import Identity
from argo_retention.core.logs import LogRecord, LogSource, LogState
from argo_retention.core.manifests import Manifest
from argo_retention.core.nodes import LogArtifact, PodNode
from argo_retention.core.ports.cluster import Pod
from argo_retention.core.ports.log_store import ObjectHead

METADATA_UID = "argo-retention-uid"
METADATA_NODE = "argo-retention-node"
METADATA_CONTAINER = "argo-retention-container"
METADATA_SHA256 = "argo-retention-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullWorkflow:
    """A finished workflow made whole, with its repository as it resolves for its logs."""

    manifest: Manifest
    uid: str
    namespace: str
    name: str
    repository: ArtifactRepository | None
    nodes: tuple[PodNode, ...]
    named: Sequence[LogArtifact]  # all that its nodes name
    artifacts: Mapping[tuple[str, str], LogArtifact]  # (node id, container) → its log artifact
    save: str  # "argo", "all" or "none": logs.save of its rule or of the cluster

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return Identity(uid=self.uid, namespace=self.namespace, name=self.name)

    @property
    def s3(self) -> S3Location | None:
        """Where its repository is; None without an S3 repository."""
        return self.repository.s3 if self.repository is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTask:
    """One log that is to be read from its pod and put under `record.key`; `record` is the intent."""

    workflow: FullWorkflow
    pod: Pod
    location: S3Location
    record: LogRecord


def object_metadata(record: LogRecord, sha256: str) -> dict[str, str]:
    """User metadata of an object that we put, by which it is known again after a crash."""
    metadata = {
        METADATA_UID: record.uid,
        METADATA_NODE: record.node_id,
        METADATA_CONTAINER: record.container,
    }
    return {**metadata, METADATA_SHA256: sha256} if sha256 else metadata


def is_ours(head: ObjectHead, record: LogRecord) -> bool:
    """Whether this object is the one that we put, or would put, for this very log."""
    return (
        head.metadata.get(METADATA_UID) == record.uid
        and head.metadata.get(METADATA_NODE) == record.node_id
        and head.metadata.get(METADATA_CONTAINER) == record.container
    )


def as_stored(record: LogRecord, head: ObjectHead) -> LogRecord:
    """The record of an object of ours that is there."""
    return structs.replace(
        record,
        state=LogState.STORED,
        reason="",
        size=head.size,
        sha256=head.metadata.get(METADATA_SHA256),
        etag=head.etag,
    )


def lost(record: LogRecord, reason: str) -> LogRecord:
    """The record of a log that provably cannot be had any more."""
    return structs.replace(
        record, state=LogState.LOST, reason=reason, source=LogSource.NONE, bucket="", key=""
    )


def unsettled(record: LogRecord, reason: str) -> LogRecord:
    """The record of a log that forbids deletion until somebody or a later run settles it."""
    return structs.replace(record, state=LogState.UNSETTLED, reason=reason)


def first_line(error: Exception) -> str:
    """What an error says, without its advice."""
    return str(error).partition("\n")[0]
