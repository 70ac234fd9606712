"""An installation on fakes that runs the steps of a run: snapshot, archive, plan, collect, expire."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from argo_retention.core.argo_settings import ArgoSettings, Persistence
from argo_retention.core.artifact_repositories import ArtifactRepository, S3Location
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogRecord
from argo_retention.core.settings import ClusterSettings
from argo_retention.operations.archiving import Archived, archive_finished
from argo_retention.operations.collecting import Collected, collect
from argo_retention.operations.expiring import Expired, expire
from argo_retention.operations.expiry_plans import MadeExpiryPlan, make_expiry_plan
from argo_retention.operations.log_stores import LogStores
from argo_retention.operations.planning import MadePlan, make_plan
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention_tests.core import factories
from argo_retention_tests.fakes.log_store import FakeLogStore
from argo_retention_tests.operations.looked_at import LookedAt

NOW, DAY = factories.NOW, factories.DAY
BUCKET = "logs"
LOCATION = S3Location(endpoint="s3.example:9000", bucket=BUCKET)
REPOSITORY = ArtifactRepository(kind="s3", archive_logs=True, s3=LOCATION)
NAMESPACE = "ci"


class AtWork(LookedAt):
    """The fakes of `LookedAt` with a bucket, settings, and the steps of a run; mode apply, no brakes."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        archive_on: bool = True,
        repository: ArtifactRepository | None = REPOSITORY,
    ) -> None:
        super().__init__()
        self.bucket = FakeLogStore(bucket=BUCKET, now=NOW)
        self.buckets = {BUCKET: self.bucket}  # others are made when they are asked for
        given = {
            "retention": {"mode": "apply", "proof_age": 0},
            "brakes": {"max_share": 1, "per_second": 1e6},
            **(settings or {}),
        }
        read = ClusterSettings.model_validate(given)
        argo = ArgoSettings(
            source="ConfigMap argo/config",
            persistence=Persistence(archive=archive_on),
            artifact_repository=repository,
        )
        installation = replace(
            self.site.installation, settings=read, argo=argo, policy=policy_of(read, argo)
        )
        stores = LogStores(
            self.cluster,
            lambda location, _keys: self.bucket_of(location.bucket),
            controller_namespace="argo",
            own_credentials=True,
            endpoint=None,
        )
        self.site = replace(
            self.site, installation=installation, log_stores=stores, clock=lambda: self.archive.now
        )
        self.runs = 1

    def bucket_of(self, name: str) -> FakeLogStore:
        """The bucket of this name, empty unless something was put in."""
        return self.buckets.setdefault(name, FakeLogStore(bucket=name, now=NOW))

    # -- what is in the cluster ---------------------------------------------------------------------------

    def run(self, name: str, *, log: bytes | None = b"hello\n", **given: Any) -> LiveWorkflow:
        """A finished workflow of one pod, whose container has ended and has this log (None: no pod)."""
        started = "2026-06-14T11:00:00Z"
        node = {
            "id": name,
            "name": name,
            "type": "Pod",
            "phase": "Succeeded",
            "templateName": "main",
            "templateScope": f"local/{name}",
            "startedAt": started,
            **given.pop("node", {}),
        }
        spec = {
            "entrypoint": "main",
            "templates": [{"name": "main", "container": {"image": "busybox"}}],
            **given.pop("spec", {}),
        }
        workflow = self.finished(name, spec=spec, status={"nodes": {name: node}}, **given)
        if log is not None:
            self.pod(workflow)
            self.cluster.add_pod_log(namespace=NAMESPACE, pod=name, body=log)
        return workflow

    def pod(self, workflow: LiveWorkflow, *, uid: str = "", **state: Any) -> None:
        """Its pod; `state` is that of the container main, terminated unless given."""
        statuses = [{"name": "main", "state": state or {"terminated": {"reason": "Completed"}}}]
        owner = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "name": workflow.name,
            "uid": uid or workflow.uid,
        }
        self.cluster.add(
            {
                "kind": "Pod",
                "metadata": {
                    "name": workflow.name,
                    "namespace": NAMESPACE,
                    "ownerReferences": [owner],
                },
                "spec": {"nodeName": "n1", "containers": [{"name": "main"}]},
                "status": {"phase": "Succeeded", "containerStatuses": statuses},
            }
        )

    # -- the steps of a run -------------------------------------------------------------------------------

    def next_run(self) -> None:
        """Another run from now on."""
        self.runs += 1
        run = f"run-{self.runs}"
        self.site = replace(self.site, run_id=run, root_run=run)

    def at(self, moment: datetime) -> None:
        """All clocks say this."""
        self.cluster.now = self.bucket.now = self.archive.fixed_now = moment

    def archived(self) -> Archived:
        """Snapshot and archive."""
        grant = self.grant(self.site.root_run)
        take_snapshot(self.site, grant)
        return archive_finished(self.site, grant)

    def planned(self) -> MadePlan:
        """Snapshot, archive and plan."""
        self.archived()
        return make_plan(self.site, self.grant(self.site.root_run))

    def collected(
        self, *, plan_id: str | None = None, allow_deletions: int | None = None
    ) -> Collected:
        """Carry out the plan."""
        return collect(
            self.site,
            self.grant(self.site.root_run),
            plan_id=plan_id,
            allow_deletions=allow_deletions,
        )

    def expiry_planned(self) -> MadeExpiryPlan:
        """Snapshot and expiry plan."""
        grant = self.grant(self.site.root_run)
        take_snapshot(self.site, grant)
        return make_expiry_plan(self.site, grant)

    def expired(self, *, plan_id: str | None = None) -> Expired:
        """Carry out the expiry plan."""
        return expire(self.site, self.grant(self.site.root_run), plan_id=plan_id)

    # -- what is there afterwards -------------------------------------------------------------------------

    def names(self) -> set[str]:
        """Of the live workflows."""
        return {workflow.name for workflow in self.cluster.workflows()}

    def row_uids(self) -> set[str]:
        """Of the archive rows."""
        return {uid for _, uid in self.archive.argo_rows}

    def log_of(self, workflow: LiveWorkflow) -> LogRecord:
        """The ledger's record of its one log."""
        [record] = self.archive.log_records(clustername="default", uids=[workflow.uid])
        return record
