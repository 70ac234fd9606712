"""Pod names as Argo computes them from nodes, and the hashes that Argo uses.

Argo's own code for it is in workflow/util/pod_name.go.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from argo_retention.core import labels
from argo_retention.core.manifests import section
from argo_retention.core.nodes import PodNode

_OFFSET = 0x811C9DC5
_PRIME = 0x01000193
_MASK = 0xFFFFFFFF
# 253 characters of a Kubernetes name, less a hyphen and ten digits of the hash.
_MAX_PREFIX = 242


class PodNameVersion(StrEnum):
    """Value of the annotation `pod-name-format`."""

    V1 = "v1"
    V2 = "v2"


def pod_name(*, workflow_name: str, node: PodNode, version: PodNameVersion) -> str:
    """Name of the pod of a node.

    v1: the node id. v2: the workflow's name where the node has that name, else workflow, template and
    hash of the node name, the first two cut to 242 characters.
    """
    if version is PodNameVersion.V1:
        return node.id
    if node.name == workflow_name:
        return workflow_name
    prefix = f"{workflow_name}-{node.template_name}" if node.template_name else workflow_name
    return f"{prefix[:_MAX_PREFIX]}-{fnv1a_32(node.name.encode())}"


def pod_name_version(
    workflow: Mapping[str, Any], *, default: PodNameVersion = PodNameVersion.V2
) -> PodNameVersion:
    """Version that the workflow's annotation names, else the controller's default (`POD_NAMES`)."""
    annotation = section(section(workflow, "metadata"), "annotations").get(labels.POD_NAME_FORMAT)
    return PodNameVersion(annotation) if annotation in set(PodNameVersion) else default


def fnv1a_32(data: bytes) -> int:
    """FNV-1a, 32 bits: pod names and node ids."""
    value = _OFFSET
    for byte in data:
        value = ((value ^ byte) * _PRIME) & _MASK
    return value


def fnv1_32(data: bytes) -> int:
    """FNV-1, 32 bits: versions of offloaded node status (`fnv:<decimal>` of the JSON text)."""
    value = _OFFSET
    for byte in data:
        value = ((value * _PRIME) & _MASK) ^ byte
    return value
