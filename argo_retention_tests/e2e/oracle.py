"""What was lost: read from API, rows, objects and ledger, and compared with the scene as it was at the start.

It does not ask the product's code what should be; only for the words of its ledger. A world that is in order
has four empty lists.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from argo_retention_tests.e2e.worlds import World

INSTANCE_ID = "workflows.argoproj.io/controller-instanceid"
COMPLETED = "workflows.argoproj.io/completed"
ENDED = ("done",)  # stage of an expiry unit that is through
LEFT = ("deleted", "gone")  # outcomes of a deletion whose workflow is not there any more
#: Argo's own containers, whose logs it stores for nobody.
EXECUTORS = ("init", "wait")
REFUSAL = "unable to retrieve container logs"


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Sentences, each about one workflow, row or object."""

    lost: list[str] = field(default_factory=list)  # could be had, and is nowhere now
    orphan: list[str] = field(default_factory=list)  # an object that nobody accounts for
    half: list[str] = field(default_factory=list)  # something that was begun and is not done
    unexplained: list[str] = field(default_factory=list)  # gone without an entry that says why


NOTHING = Findings()


class Oracle:
    """Compares a world with its beginning."""

    def __init__(self, world: World) -> None:
        """Reads everything, once."""
        self._scene = world.scene
        self._world = world
        self._live = world.live()
        self._rows = world.rows()
        self._objects = world.objects()
        self._deletions: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for deletion in world.ledger("deletions"):
            self._deletions[deletion["uid"]].append(deletion)
        self._units = {unit["uid"]: unit for unit in world.ledger("expiry_units")}
        self._logs = world.ledger("log_objects")
        self._before = {w["metadata"]["uid"]: w for w in world.scene.workflows}
        # Of other clusters and instances in the same database; they may name our objects too.
        self._all_rows = world.query(
            "SELECT clustername, uid, workflow FROM argo_archived_workflows"
        )

    def look(self, *, taken_away: Collection[str] = ()) -> Findings:
        """All four lists; `taken_away` are uids that the test itself deleted from the cluster or the archive."""
        findings = Findings()
        gone = [uid for uid in self._before if uid not in self._live and uid not in set(taken_away)]
        for uid in gone:
            self._look_for_lost(uid, findings)
            self._look_for_reason(uid, findings)
        self._look_for_rows(set(taken_away), findings)
        self._look_at_stages(findings)
        self._look_for_orphans(findings)
        return findings

    # -- lost ---------------------------------------------------------------------------------------------

    def _look_for_lost(self, uid: str, findings: Findings) -> None:
        before = self._before[uid]
        name = f"{before['metadata']['namespace']}/{before['metadata']['name']}"
        if before["metadata"].get("labels", {}).get(COMPLETED) != "true":
            findings.lost.append(f"{name} had not finished and is gone")
        if self._is_expired(uid):
            return
        row = self._rows.get(uid)
        if row is None:
            findings.lost.append(f"{name} is neither in the cluster nor in the archive")
            return
        workflow = row["workflow"]
        if (workflow["status"]["phase"], workflow["metadata"]["name"]) != (
            before["status"]["phase"],
            before["metadata"]["name"],
        ):
            findings.lost.append(f"the row of {name} is of another version")
        if set(before["status"].get("nodes") or {}) - set(workflow["status"].get("nodes") or {}):
            findings.lost.append(f"the row of {name} lacks nodes")
        for (node_id, container), body in self._readable_logs(uid).items():
            self._look_for_log(uid, name, node_id, container, body, workflow, findings)

    def _look_for_log(
        self,
        uid: str,
        name: str,
        node_id: str,
        container: str,
        body: bytes,
        row: Mapping[str, Any],
        findings: Findings,
    ) -> None:
        records = [
            r
            for r in self._logs
            if (r["uid"], r["node_id"], r["container"]) == (uid, node_id, container)
        ]
        what = f"log {container} of node {node_id} of {name}"
        if not records:
            findings.lost.append(f"{what}: the ledger does not know it")
            return
        [record] = records
        if record["state"] == "not_wanted":
            return
        if record["state"] != "stored":
            findings.lost.append(f"{what} is {record['state']} ({record['reason']})")
        elif (record["bucket"], record["key"]) not in self._objects:
            findings.lost.append(f"{what}: {record['key']} is not there")
        elif record["source"] == "argo_retention":
            if self._world.body(record["bucket"], record["key"]) != body:
                findings.lost.append(f"{what}: {record['key']} holds something else")
            if record["key"] not in _log_keys(row):
                findings.lost.append(f"{what}: the row does not name {record['key']}")

    def _readable_logs(self, uid: str) -> dict[tuple[str, str], bytes]:
        """(node id, container) → what the pods of this workflow would still tell."""
        pods = {}
        for item in self._scene.objects:
            owners = item["metadata"].get("ownerReferences") or []
            if item["kind"] == "Pod" and any(owner["uid"] == uid for owner in owners):
                annotations = item["metadata"].get("annotations") or {}
                node_id = annotations.get("workflows.argoproj.io/node-id", "")
                pods[item["metadata"]["namespace"], item["metadata"]["name"]] = node_id
        return {
            (pods[line["namespace"], line["pod"]], line["container"]): line["body"].encode()
            for line in self._scene.pod_logs
            if (line["namespace"], line["pod"]) in pods
            and "body" in line
            and not line["body"].startswith(REFUSAL)
            and line["container"] not in EXECUTORS
        }

    # -- unexplained --------------------------------------------------------------------------------------

    def _look_for_reason(self, uid: str, findings: Findings) -> None:
        reasons = [d for d in self._deletions.get(uid, ()) if d["outcome"] in LEFT and d["reason"]]
        if not reasons:
            name = self._before[uid]["metadata"]["name"]
            said = [d["outcome"] for d in self._deletions.get(uid, ())]
            findings.unexplained.append(f"{name} left the cluster; the ledger says {said}")

    def _look_for_rows(self, taken_away: set[str], findings: Findings) -> None:
        ever = {row.uid for row in self._scene.rows if row.clustername == self._scene.clustername}
        ever |= {proof["uid"] for proof in self._world.ledger("archived_versions")}
        for uid in ever - self._rows.keys() - taken_away:
            unit = self._units.get(uid)
            if unit is None or not unit["reason"]:
                findings.unexplained.append(f"the row of {uid} left the archive without a reason")

    # -- half ---------------------------------------------------------------------------------------------

    def _look_at_stages(self, findings: Findings) -> None:
        for uid, unit in self._units.items():
            if unit["stage"] == "row_vanished":
                continue
            name = f"{unit['namespace']}/{unit['name']}"
            if unit["stage"] not in ENDED:
                findings.half.append(f"the unit of {name} stands at {unit['stage']}")
            elif uid in self._rows:
                findings.half.append(f"{name} has expired and its row is there")
            else:
                self._look_for_left_objects(uid, unit, name, findings)
        for deletions in self._deletions.values():
            for deletion in deletions:
                if deletion["outcome"] == "intended":
                    findings.half.append(f"the deletion of {deletion['name']} is open")
        for record in self._logs:
            if record["state"] == "intended":
                findings.half.append(f"the log {record['key']} is begun and not settled")

    def _look_for_left_objects(
        self, uid: str, unit: Mapping[str, Any], name: str, findings: Findings
    ) -> None:
        kept = " ".join(unit["kept_objects"])
        named = {key for _, key in self._named_by_rows()}
        for record in self._logs:
            place = (record["bucket"], record["key"])
            if record["uid"] != uid or place not in self._objects:
                continue
            if record["key"] not in kept and record["key"] not in named:
                findings.half.append(f"{name} has expired and {record['key']} is there")

    def _is_expired(self, uid: str) -> bool:
        unit = self._units.get(uid)
        return unit is not None and unit["stage"] in ENDED and bool(unit["reason"])

    # -- orphan -------------------------------------------------------------------------------------------

    def _look_for_orphans(self, findings: Findings) -> None:
        """Objects that were nobody's from the start are not ours to answer for."""
        named = self._named_by_rows()
        named |= {(bucket, key) for w in self._live.values() for bucket, key in artifacts_of(w)}
        keys = {key for _, key in named}
        keys |= {
            record["key"]
            for record in self._logs
            if record["uid"] in self._rows or record["uid"] in self._live
        }
        accounted = " ".join(text for unit in self._units.values() for text in unit["kept_objects"])
        owned = {key for row in self._scene.rows for key in _log_keys(json.loads(row.workflow))} | {
            key for workflow in self._before.values() for key in _log_keys(workflow)
        }
        of_nobody = {each.key for each in self._scene.s3_objects} - owned
        for bucket, key in sorted(self._objects):
            if key not in keys and key not in accounted and key not in of_nobody:
                findings.orphan.append(f"{bucket}/{key} belongs to nobody")

    def _named_by_rows(self) -> set[tuple[str, str]]:
        return {place for row in self._all_rows for place in artifacts_of(row["workflow"])}


def artifacts_of(workflow: Mapping[str, Any]) -> set[tuple[str, str]]:
    """(bucket or "", key) of each log artifact of each node."""
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    return {
        (artifact["s3"].get("bucket", ""), artifact["s3"]["key"])
        for node in nodes.values()
        for artifact in (node.get("outputs") or {}).get("artifacts") or ()
        if artifact["name"].endswith("-logs") and artifact.get("s3", {}).get("key")
    }


def _log_keys(workflow: Mapping[str, Any]) -> set[str]:
    return {key for _, key in artifacts_of(workflow)}
