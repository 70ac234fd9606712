"""The node status of a workflow: making it whole, and reading pods and log artifacts from it.

Argo stores `status.nodes` compressed in `status.compressedNodes`, or offloads it into its table
`argo_workflows` under a version. A workflow whose nodes cannot be read must be neither archived nor deleted.
"""

import base64
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import brotli
import msgspec
import zstandard

from argo_retention.core.config_maps import found
from argo_retention.core.manifests import (
    Manifest,
    describe,
    entries,
    parse_time,
    section,
    template_name,
)
from argo_retention.core.phases import NodeType
from argo_retention.errors import ManifestError

MAX_NODES_BYTES = 256 * 1024 * 1024

_LOGS_SUFFIX = "-logs"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_PIECE = (
    64 * 1024
)  # compressed bytes fed at once; a bomb is noticed after one piece's worth of output
_decoder = msgspec.json.Decoder(dict[str, dict[str, Any]])


class PodNode(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A node of type Pod."""

    id: str
    name: str
    template_name: str
    phase: str
    started_at: datetime | None  # UTC
    finished_at: datetime | None  # UTC
    memoized: bool  # memoizationStatus.hit: there never was a pod, the outputs are another run's
    raw: Mapping[str, Any]  # the node as Argo wrote it


class LogArtifact(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A `<container>-logs` artifact of a node; several nodes may name one object."""

    node_id: str
    container: str
    bucket: str | None  # None: the bucket of the template's own location or of the repository
    key: str
    deleted: bool  # Argo's artifact GC took the object
    node: Mapping[str, Any]  # as Argo wrote it


def whole_status(
    workflow: Manifest,
    offloaded_nodes: Callable[[str], bytes | None],
    *,
    max_bytes: int = MAX_NODES_BYTES,
) -> Manifest:
    """Return the workflow with its whole node status in `status.nodes`; the argument is not changed.

    `offloaded_nodes(version)` gives the JSON that Argo offloaded, None when it is not there. Raises
    ManifestError when the nodes cannot be read, or are larger than `max_bytes`.
    """
    status = section(workflow, "status")
    compressed, version = status.get("compressedNodes"), status.get("offloadNodeStatusVersion")
    if "compressedNodes" not in status and "offloadNodeStatusVersion" not in status:
        return workflow
    whole = {
        key: value
        for key, value in status.items()
        if key not in {"compressedNodes", "offloadNodeStatusVersion"}
    }
    try:
        if version:
            whole["nodes"] = _decode(_found(offloaded_nodes(version), version), max_bytes=max_bytes)
        elif compressed and not status.get("nodes"):
            whole["nodes"] = _decode(_decompress(compressed, max_bytes), max_bytes=max_bytes)
    except ManifestError as error:
        raise ManifestError(f"{describe(workflow)}: {error}") from error
    return {**workflow, "status": whole}


def pod_nodes(workflow: Mapping[str, Any]) -> Iterator[PodNode]:
    """Yield the nodes of type Pod, by node id; the node status must be whole."""
    for node_id, node in _nodes(workflow):
        if node.get("type") != NodeType.POD:
            continue
        where = f"{describe(workflow)}: node {node_id}"
        yield PodNode(
            id=node_id,
            name=str(node.get("name") or ""),
            template_name=template_name(node),
            phase=str(node.get("phase") or ""),
            started_at=parse_time(node.get("startedAt"), what=f"{where}: startedAt"),
            finished_at=parse_time(node.get("finishedAt"), what=f"{where}: finishedAt"),
            memoized=bool(section(node, "memoizationStatus").get("hit")),
            raw=node,
        )


def log_artifacts(workflow: Mapping[str, Any]) -> Iterator[LogArtifact]:
    """Yield every `*-logs` artifact in S3 of every node of any type; the node status must be whole.

    A user's own artifact may be named so as well: it is yielded too, which protects its object from us.
    """
    for node_id, node in _nodes(workflow):
        for artifact in entries(section(node, "outputs"), "artifacts"):
            name = str(artifact.get("name") or "")
            s3 = section(artifact, "s3")
            if name.endswith(_LOGS_SUFFIX) and s3.get("key"):
                yield LogArtifact(
                    node_id=node_id,
                    container=name.removesuffix(_LOGS_SUFFIX),
                    bucket=s3.get("bucket") or None,
                    key=s3["key"],
                    deleted=bool(artifact.get("deleted")),
                    node=node,
                )


def _nodes(workflow: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for node_id, node in section(section(workflow, "status"), "nodes").items():
        if not isinstance(node, dict):
            raise ManifestError(f"{describe(workflow)}: node {node_id} is not a map")
        yield node_id, node


def _found(offloaded: bytes | None, version: str) -> bytes:
    if offloaded is None:
        raise ManifestError(f"its node status was offloaded as {version!r} and is not there")
    return offloaded


def _decode(data: bytes, *, max_bytes: int) -> dict[str, dict[str, Any]]:
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"its node status is not a JSON map of nodes: {error}") from error


def _decompress(text: object, max_bytes: int) -> bytes:
    """Decompress piece by piece and stop at the limit, so that a bomb costs no memory."""
    if not isinstance(text, str):
        raise ManifestError(f"status.compressedNodes is {found(text)}, expected text")
    try:
        data = base64.b64decode(text, validate=True)
        pieces = _gunzip if data[:2] == _GZIP else _unzstd if data[:4] == _ZSTD else _unbrotli
        whole, size = [], 0
        for piece in pieces(data):
            size += len(piece)
            if size > max_bytes:
                raise _too_large(max_bytes)
            whole.append(piece)
    except (ValueError, zlib.error, zstandard.ZstdError, brotli.error) as error:
        raise ManifestError(
            f"status.compressedNodes cannot be decompressed ({len(text)} characters): {error}"
        ) from error
    return b"".join(whole)


def _too_large(max_bytes: int) -> ManifestError:
    return ManifestError(f"its node status is larger than {max_bytes} bytes")


def _gunzip(data: bytes) -> Iterator[bytes]:
    decompressor = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    while not decompressor.eof:
        piece = decompressor.decompress(data, _PIECE)
        data = decompressor.unconsumed_tail
        if not piece and not decompressor.eof:
            raise zlib.error("it ends in the middle")
        yield piece


def _unzstd(data: bytes) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    # zstd writes up to 128 KiB for a few bytes of input: small pieces bound the output of one call.
    for start in range(0, len(data), 256):
        yield decompressor.decompress(data[start : start + 256])
        if decompressor.eof:
            return
    raise zstandard.ZstdError("it ends in the middle")


def _unbrotli(data: bytes) -> Iterator[bytes]:
    decompressor = brotli.Decompressor()
    yield decompressor.process(data, output_buffer_limit=_PIECE)
    while not decompressor.can_accept_more_data():
        yield decompressor.process(b"", output_buffer_limit=_PIECE)
    if not decompressor.is_finished():
        raise brotli.error("it ends in the middle")
