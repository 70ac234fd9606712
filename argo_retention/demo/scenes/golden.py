"""Workflows that the real Argo controller v4.1.2 ran, with their pods, rows and objects, as package data.

`golden.json.gz` is made from the recorded test data by `python -m argo_retention_tests.demo.pack_golden`.
"""

import gzip
from importlib import resources
from typing import Any

import msgspec

from argo_retention.demo.scenes.scene import Document


class Golden(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded data, as far as the demo shows it."""

    workflows: list[Document]
    pods: list[Document]
    config_maps: list[Document]
    workflow_templates: list[Document]
    rows: list[Document]  # columns, with `labels`; `workflow` is a document
    offload: list[Document]  # columns; `nodes` is a document
    objects: list[dict[str, Any]]  # bucket, key, text


def read_golden() -> Golden:
    """Read the package data; each call gives new documents, which may be changed."""
    packed = resources.files("argo_retention.demo.scenes").joinpath("golden.json.gz").read_bytes()
    return msgspec.json.decode(gzip.decompress(packed), type=Golden)
