"""The recorded workflows, rows, pods and objects of Argo's real controller, decoded as the product does."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from argo_retention.core import manifests, nodes

ARGO = Path(__file__).parent.parent / "testdata" / "golden" / "argo"


def names(folder: str) -> list[str]:
    return sorted(path.stem for path in (ARGO / folder).glob("*.json"))


ARCHIVED_AND_LIVE = sorted(set(names("cluster")) & set(names("archive")))
LIVE_ONLY = sorted(set(names("cluster")) - set(names("archive")))


@cache
def offloaded() -> dict[tuple[str, str], bytes]:
    rows = json.loads((ARGO / "offload.json").read_text())
    return {(row["uid"], row["version"]): json.dumps(row["nodes"]).encode() for row in rows}


@cache
def live(name: str) -> dict[str, Any]:
    """The live object as the API gave it. Do not change it."""
    return manifests.decode((ARGO / "cluster" / f"{name}.json").read_bytes())


@cache
def whole(name: str) -> dict[str, Any]:
    """The live object with its node status made whole. Do not change it."""
    workflow = live(name)
    uid = workflow["metadata"]["uid"]
    return nodes.whole_status(workflow, lambda version: offloaded().get((uid, version)))


@cache
def row(name: str) -> dict[str, Any]:
    """The row that Argo wrote, all columns and labels. Do not change it."""
    return manifests.decode((ARGO / "archive" / f"{name}.json").read_bytes())


@cache
def pods() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (pod["metadata"]["namespace"], pod["metadata"]["name"]): pod
        for path in sorted((ARGO / "pods").glob("*.json"))
        for pod in json.loads(path.read_text())
    }


@cache
def objects() -> set[tuple[str, str]]:
    """Bucket and key of every object that Argo's executor stored."""
    return {
        (entry["bucket"], entry["key"]) for entry in json.loads((ARGO / "objects.json").read_text())
    }


def config_map(namespace: str, name: str) -> dict[str, Any] | None:
    for entry in json.loads((ARGO / "config.json").read_text())["configmaps"]:
        if (entry["metadata"]["namespace"], entry["metadata"]["name"]) == (namespace, name):
            return entry
    return None
