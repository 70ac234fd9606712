"""The row of `argo_archived_workflows` that Argo would write for a Workflow, built from the live object.

Building is on the hot path of archiving (hundreds of workflows a second), so dicts are copied one level at a
time and only where they change; the object that comes in is never changed.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from argo_retention.core import labels
from argo_retention.core.artifact_repositories import ArtifactRepository, own_location
from argo_retention.core.labels import ArchivingStatus
from argo_retention.core.manifests import (
    Manifest,
    describe,
    encode,
    entries,
    parse_time,
    section,
    template_of,
)
from argo_retention.errors import ManifestError

POSTGRES_NULL_REPLACEMENT = "ARGO_POSTGRES_NULL_REPLACEMENT"
REPOSITORY_REF_ADDED = "artifactRepositoryRef"  # entry of `added` that names no node

_ZERO_TIME = datetime(1, 1, 1)  # noqa: DTZ001  Go's zero time, as Argo writes it into the columns
# An escaped NUL: after an even number of backslashes, or it is the text backslash-u0000 itself.
_NULL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRow:
    """A row of `argo_archived_workflows` with its labels; times are UTC without zone, as Argo writes them."""

    clustername: str
    instanceid: str
    uid: str
    name: str
    namespace: str
    phase: str
    startedat: datetime  # year 1 when the workflow never started
    finishedat: datetime  # year 1 when absent
    creationtimestamp: datetime
    workflow: bytes  # JSON
    labels: Mapping[str, str]
    resource_version: int  # metadata.resourceVersion in the JSON


class SavedLog(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A log that we stored, to be named in the row as Argo's executor would have named it."""

    node_id: str
    container: str
    bucket: str
    key: str


def build_row(
    workflow: Mapping[str, Any],
    *,
    clustername: str,
    instanceid: str,
    null_replacement: str | None = POSTGRES_NULL_REPLACEMENT,
) -> ArchiveRow:
    """Build the row of a workflow whose node status is whole.

    `null_replacement` stands for NUL characters, which PostgreSQL refuses; None leaves them (MySQL). Raises
    ManifestError where something is missing without which there is no row.
    """
    metadata, status = section(workflow, "metadata"), section(workflow, "status")
    if status.get("compressedNodes") or status.get("offloadNodeStatusVersion"):
        raise ManifestError(f"{describe(workflow)}: its node status is not whole")
    row_labels = {
        **section(metadata, "labels"),
        labels.ARCHIVING_STATUS: ArchivingStatus.PERSISTED.value,
    }
    stored = {key: value for key, value in metadata.items() if key != "managedFields"}
    stored["labels"] = row_labels
    text = encode({**workflow, "metadata": stored})
    if null_replacement is not None:
        text = replace_null(text, null_replacement)
    return ArchiveRow(
        clustername=clustername,
        instanceid=instanceid,
        uid=_required(workflow, metadata, "uid"),
        name=_required(workflow, metadata, "name"),
        namespace=_required(workflow, metadata, "namespace"),
        phase=status.get("phase") or "",
        startedat=_column(status, "startedAt"),
        finishedat=_column(status, "finishedAt"),
        creationtimestamp=_column(metadata, "creationTimestamp"),
        workflow=text,
        labels=row_labels,
        resource_version=_version(workflow, metadata),
    )


def replace_null(text: bytes, replacement: str) -> bytes:
    r"""Replace each escaped NUL (`\u0000`) in JSON text, but not a literal backslash-u0000."""
    if rb"\u0000" not in text:
        return text
    inserted = replacement.encode()
    return _NULL.sub(lambda match: match[1] + inserted, text)


def restore_null(text: bytes, replacement: str = POSTGRES_NULL_REPLACEMENT) -> bytes:
    r"""Turn the replacement back into `\u0000`, as Argo does when it reads a row."""
    return text.replace(replacement.encode(), rb"\u0000")


def with_saved_logs(
    workflow: Manifest, saved: Sequence[SavedLog], repository: ArtifactRepository | None
) -> tuple[Manifest, tuple[str, ...]]:
    """Name our logs in the node status, so that Argo's server and UI offer them; returns a copy.

    `repository` is the one that the logs went to. A log whose bucket is that of the template's own location
    or of `status.artifactRepositoryRef` gets `s3.key` only, as from Argo's executor; any other also bucket,
    endpoint and Secret references. Argo needs a `status.artifactRepositoryRef` to serve any log; where it is
    missing, an empty one is added. Returns the workflow and what was added, as `node_id/container` and
    `REPOSITORY_REF_ADDED`. An artifact that already names this very object is left alone; one that names
    another is replaced (own copies).
    """
    if not saved:
        return workflow, ()
    status = dict(section(workflow, "status"))
    nodes = dict(section(status, "nodes"))
    added: list[str] = []
    recorded = section(status, "artifactRepositoryRef")
    default = section(section(recorded, "artifactRepository"), "s3")
    for log in saved:
        node = nodes.get(log.node_id)
        if node is None:
            raise ManifestError(f"{describe(workflow)}: no node {log.node_id} to name its log in")
        own = own_location(template_of(workflow, node))
        location = own.s3.raw if own is not None and own.s3 is not None else default
        outputs = section(node, "outputs")
        artifacts = list(entries(outputs, "artifacts"))
        name = f"{log.container}-logs"
        present = next((entry for entry in artifacts if entry.get("name") == name), None)
        if present is not None and _names(present, log, location):
            continue
        artifacts = [entry for entry in artifacts if entry is not present]
        artifacts.append({"name": name, "s3": _s3(log, location, repository)})
        nodes[log.node_id] = {**node, "outputs": {**outputs, "artifacts": artifacts}}
        added.append(f"{log.node_id}/{log.container}")
    if "artifactRepository" not in recorded:
        status["artifactRepositoryRef"] = {"default": True, **recorded, "artifactRepository": {}}
        added.append(REPOSITORY_REF_ADDED)
    status["nodes"] = nodes
    return {**workflow, "status": status}, tuple(added)


def _names(artifact: Mapping[str, Any], log: SavedLog, location: Mapping[str, Any]) -> bool:
    s3 = section(artifact, "s3")
    bucket = s3.get("bucket") or location.get("bucket")
    return s3.get("key") == log.key and bucket == log.bucket and not artifact.get("deleted")


def _s3(
    log: SavedLog, location: Mapping[str, Any], repository: ArtifactRepository | None
) -> dict[str, Any]:
    if location.get("bucket") == log.bucket:
        return {"key": log.key}
    s3 = repository.s3 if repository is not None else None
    if s3 is None:
        raise ManifestError(
            f"log s3://{log.bucket}/{log.key} is in no repository that its workflow can name"
        )
    how = {
        key: s3.raw[key]
        for key in ("endpoint", "region", "accessKeySecret", "secretKeySecret", "useSDKCreds")
        if key in s3.raw
    }
    return {"key": log.key, "bucket": log.bucket, **how, "insecure": s3.insecure}


def _required(workflow: Mapping[str, Any], metadata: Mapping[str, Any], key: str) -> str:
    value = metadata.get(key)
    if not isinstance(value, str) or not value:
        raise ManifestError(f"{describe(workflow)}: metadata.{key} is missing")
    return value


def _version(workflow: Mapping[str, Any], metadata: Mapping[str, Any]) -> int:
    value = _required(workflow, metadata, "resourceVersion")
    if not (value.isascii() and value.isdigit()):
        raise ManifestError(
            f"{describe(workflow)}: metadata.resourceVersion is {value!r}, expected a number"
        )
    return int(value)


def _column(parent: Mapping[str, Any], key: str) -> datetime:
    moment = parse_time(parent.get(key), what=key)
    return _ZERO_TIME if moment is None else moment.replace(tzinfo=None)
