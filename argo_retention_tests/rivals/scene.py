"""A cluster in which Argo's controller, people and a lifecycle rule do what they like; each act is remembered."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg

from argo_retention.core.archive_rows import build_row
from argo_retention.demo.scenes.installation import s3_repository
from argo_retention_tests.e2e.worlds import World, utc_now, workflow_path
from argo_retention_tests.soak.traffic import make_finished

AGES = (timedelta(seconds=5), timedelta(minutes=20), timedelta(hours=2))
COMPLETED = "workflows.argoproj.io/completed"
PHASE = "workflows.argoproj.io/phase"
STATUS = "workflows.argoproj.io/workflow-archiving-status"
HOLD = "argo-retention.io/hold"
ROW_COLUMNS = "clustername, instanceid, uid, name, namespace, phase, startedat, finishedat, creationtimestamp, workflow"


class Rivals:
    """What others do, and what they took; a row that is locked by us they leave alone, as Argo would in the end."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.bucket = world.scene.buckets[0]
        self.number = 0
        self.live_taken: set[str] = set()
        self.rows_taken: set[str] = set()
        self.rows_taken_while_live: set[str] = set()
        self.objects_taken: set[str] = set()
        self.held: set[str] = set()
        self.acts: list[str] = []

    # -- new ones -----------------------------------------------------------------------------------------

    def finishes(self, *, phase: str, age: timedelta) -> None:
        """A workflow that ended so long ago appears, with its pod."""
        self.number += 1
        name = f"rival-{self.number:03d}"
        repository = {
            "archiveLogs": True,
            "s3": s3_repository(self.world.s3, self.bucket),
        }
        made, objects, log = make_finished(
            name, repository=repository, phase=phase, log=f"log of {name}\n", age=age
        )
        self.world.ask("POST", "/emulator/pod_logs", log)
        given = [self.world.ask("POST", "/emulator/objects", each) for each in objects]
        scene = self.world.scene
        self.world.scene = replace(
            scene,
            objects=(*scene.objects, *given),
            pod_logs=(*scene.pod_logs, log),
        )
        self._say(f"{name} ({made.uid[:8]}) finishes")

    # -- Argo's controller --------------------------------------------------------------------------------

    def argo_archives(self, workflow: Mapping[str, Any]) -> None:
        """DELETE and INSERT of the row in one transaction, then the label."""
        metadata = workflow["metadata"]
        if metadata.get("labels", {}).get(COMPLETED) != "true":
            return
        row = build_row(workflow, clustername=self.world.scene.clustername, instanceid="")
        values = (
            *(row.clustername, row.instanceid, row.uid, row.name, row.namespace, row.phase),
            *(row.startedat, row.finishedat, row.creationtimestamp, row.workflow.decode()),
        )
        places = ", ".join(["%s"] * len(values))

        def write(connection: psycopg.Connection[Any]) -> None:
            connection.execute("DELETE FROM argo_archived_workflows WHERE uid = %s", (row.uid,))
            connection.execute(
                f"INSERT INTO argo_archived_workflows ({ROW_COLUMNS}) VALUES ({places})",  # type: ignore[arg-type]
                values,
            )
            for name, value in row.labels.items():
                connection.execute(
                    "INSERT INTO argo_archived_workflows_labels VALUES (%s, %s, %s, %s)",
                    (row.clustername, row.uid, name, value),
                )

        if self._changes(write):
            self.rows_taken.discard(row.uid)
            self.rows_taken_while_live.discard(row.uid)
            self._patch(workflow, {"metadata": {"labels": {STATUS: "Archived"}}})
            self._say(f"Argo archives {metadata['name']}")

    def argo_deletes(self, workflow: Mapping[str, Any]) -> None:
        """By its retentionPolicy, a ttlStrategy, a limit of a CronWorkflow; or a person does."""
        self.live_taken.add(workflow["metadata"]["uid"])
        self.world.delete(workflow)
        self._say(f"somebody deletes {workflow['metadata']['name']}")

    def patches_labels(self, workflow: Mapping[str, Any]) -> None:
        self._patch(workflow, {"metadata": {"labels": {STATUS: "Pending"}}})
        self._say(f"Argo labels {workflow['metadata']['name']} Pending")

    # -- people -------------------------------------------------------------------------------------------

    def deletes_row(self, uid: str) -> None:
        """`argo archive delete`, or Argo's own archiveTTL."""

        def delete(connection: psycopg.Connection[Any]) -> None:
            connection.execute("DELETE FROM argo_archived_workflows WHERE uid = %s", (uid,))

        if self._changes(delete):
            self.rows_taken.add(uid)
            if uid in self.world.live():
                self.rows_taken_while_live.add(uid)
            self._say(f"somebody deletes the row of {uid[:8]}")

    def retries(self, workflow: Mapping[str, Any]) -> None:
        """`argo retry`: the same object runs again."""
        if workflow["metadata"].get("labels", {}).get(COMPLETED) != "true":
            return
        labels = {COMPLETED: None, PHASE: "Running", STATUS: None}
        self._patch(
            workflow,
            {"metadata": {"labels": labels}, "status": {"phase": "Running", "finishedAt": None}},
        )
        self._say(f"somebody retries {workflow['metadata']['name']}")

    def ends(self, workflow: Mapping[str, Any]) -> None:
        """What was retried ends, otherwise than the first time."""
        if workflow["metadata"].get("labels", {}).get(COMPLETED) == "true":
            return
        finished = utc_now().strftime("%Y-%m-%dT%H:%M:%SZ")
        self._patch(
            workflow,
            {
                "metadata": {"labels": {COMPLETED: "true", PHASE: "Error"}},
                "status": {"phase": "Error", "finishedAt": finished},
            },
        )
        self._say(f"{workflow['metadata']['name']} ends again")

    def applies(self, workflow: Mapping[str, Any]) -> None:
        """`kubectl apply` with another annotation."""
        self._patch(
            workflow, {"metadata": {"annotations": {"example.com/note": utc_now().isoformat()}}}
        )
        self._say(f"somebody applies {workflow['metadata']['name']}")

    def holds(self, workflow: Mapping[str, Any]) -> None:
        self._patch(workflow, {"metadata": {"annotations": {HOLD: "look at it first"}}})
        self.held.add(workflow["metadata"]["uid"])
        self._say(f"somebody holds {workflow['metadata']['name']}")

    def takes_object(self, key: str) -> None:
        """By hand, or by a lifecycle rule."""
        self.objects_taken.add(key)
        self.world.files(self.bucket).delete(key)
        self._say(f"somebody deletes the object {key}")

    def overwrites_object(self, key: str) -> None:
        """Another workflow of that name writes its log there: Argo's default key has no uid."""
        files = self.world.files(self.bucket)
        files.put_stream(key, [b"the log of another\n"], {})
        self.objects_taken.add(key)
        self._say(f"somebody overwrites the object {key}")

    # -- how ----------------------------------------------------------------------------------------------

    def _patch(self, workflow: Mapping[str, Any], patch: Mapping[str, Any]) -> None:
        self.world.ask("PATCH", workflow_path(workflow), patch)

    def _changes(self, work: Any) -> bool:
        """In one transaction; False where a lock of ours is in the way."""
        try:
            with psycopg.connect(self.world.dsn) as connection:
                connection.execute("SET lock_timeout = '100ms'")
                work(connection)
        except psycopg.errors.LockNotAvailable:
            return False
        return True

    def _say(self, what: str) -> None:
        self.acts.append(what)
