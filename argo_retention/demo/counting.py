"""What is there: counted in the cluster, the database and the buckets, not taken from the product's word."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import psycopg

from argo_retention.demo.servers import DemoCluster

FINISHED_PHASES = ("Succeeded", "Failed", "Error")
TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Sets of uids at one moment."""

    live: Mapping[str, str]  # uid → name, all workflows in the cluster
    finished: frozenset[str]  # uids of the live ones that have finished
    rows: frozenset[str]  # uids with an archive row of this clusterName


def count(cluster: DemoCluster, *, archive_dsn: str, clustername: str) -> Counted:
    """Look once."""
    workflows = _workflows(cluster)
    with psycopg.connect(archive_dsn) as connection:
        rows = connection.execute(
            "SELECT uid FROM argo_archived_workflows WHERE clustername = %s", (clustername,)
        ).fetchall()
    return Counted(
        live={w["metadata"]["uid"]: w["metadata"]["name"] for w in workflows},
        finished=frozenset(w["metadata"]["uid"] for w in workflows if _is_finished(w)),
        rows=frozenset(uid for (uid,) in rows),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What became of the workflows that had finished before."""

    finished: int
    archived: int
    kept: int
    deleted: int


def change(before: Counted, after: Counted, *, name_prefix: str = "") -> Change:
    """Compare two looks at one cluster; only workflows whose name begins so count."""
    finished = {uid for uid in before.finished if before.live[uid].startswith(name_prefix)}
    kept = finished & after.live.keys()
    return Change(
        finished=len(finished),
        archived=len(finished & after.rows),
        kept=len(kept),
        deleted=len(finished - kept),
    )


def _workflows(cluster: DemoCluster) -> list[Mapping[str, Any]]:
    request = Request(  # noqa: S310  a server that this process started on loopback
        f"{cluster.url}/apis/argoproj.io/v1alpha1/workflows",
        headers={"Authorization": f"Bearer {cluster.admin_token}"},
    )
    with urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
        items: list[Mapping[str, Any]] = json.load(answer)["items"]
        return items


def _is_finished(workflow: Mapping[str, Any]) -> bool:
    labels = workflow["metadata"].get("labels") or {}
    is_completed = labels.get("workflows.argoproj.io/completed") == "true"
    return is_completed and labels.get("workflows.argoproj.io/phase") in FINISHED_PHASES
