"""An installation on fakes with workflows in each state, for what only looks: plan, status, explain."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from argo_retention.core.archive_rows import build_row
from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.ledger import DatabaseFacts, LeaseGrant, RowWrite
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogRecord, LogReference
from argo_retention.core.manifests import decode
from argo_retention.core.policy import Policy
from argo_retention.core.proofs import Facts, ProvenVersion
from argo_retention.core.settings import ClusterSettings
from argo_retention.operations.log_stores import LogStores
from argo_retention.operations.site import Installation, Site
from argo_retention_tests.core import factories
from argo_retention_tests.fakes.archive import FakeArchive
from argo_retention_tests.fakes.cluster import FakeCluster
from argo_retention_tests.fakes.log_store import FakeLogStore
from argo_retention_tests.fakes.table_store import FakeTableStore

NOW, DAY = factories.NOW, factories.DAY


class UnmigratedArchive(FakeArchive):
    """Argo's tables are there, ours are not; `facts` is all that may be asked."""

    def facts(self) -> DatabaseFacts:
        return replace(super().facts(), our_tables=False)


class LookedAt:
    """The fakes and the site on them; its parts may be changed by a test."""

    def __init__(
        self,
        *,
        policy: Policy | None = None,
        archive: FakeArchive | None = None,
        mode: str = "observe",
        managed_namespace: str | None = None,
    ) -> None:
        self.cluster = FakeCluster(now=NOW)
        self.cluster.add({"kind": "ConfigMap", "metadata": {"name": "config", "namespace": "argo"}})
        self.archive = archive or FakeArchive(now=NOW)
        self.tables = FakeTableStore()
        settings = ClusterSettings.model_validate({"retention": {"mode": mode}})
        argo = ArgoSettings(source="ConfigMap argo/config")
        installation = Installation(
            partition="prod",
            controller_namespace="argo",
            configmap="config",
            found_by="Deployment argo/server",
            managed_namespace=managed_namespace,
            argo=argo,
            settings=settings,
            policy=policy or policy_of(settings, argo),
        )
        self.site = Site(
            installation=installation,
            cluster=self.cluster,
            archive=self.archive,
            tables=self.tables,
            log_stores=LogStores(
                self.cluster,
                lambda _location, _keys: FakeLogStore(),
                controller_namespace="argo",
                own_credentials=True,
                endpoint=None,
            ),
            clock=lambda: NOW,
            run_id="run-1",
            root_run="root-1",
            by_whom="tester",
        )

    def grant(self, root_run: str = "root-1") -> LeaseGrant:
        """The lease, for what a run writes."""
        return self.archive.acquire_lease(
            clustername="default",
            instanceid="",
            root_run=root_run,
            host="host-1",
            is_finished=lambda _: True,
        )

    def finished(self, name: str, *, age: timedelta = DAY, **given: Any) -> LiveWorkflow:
        """A workflow that was made and finished this long ago."""
        stamp = (NOW - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = {"creationTimestamp": stamp, **given.pop("metadata", {})}
        status = {"startedAt": stamp, "finishedAt": stamp, **given.pop("status", {})}
        return self.cluster.add_workflow(
            name, namespace="ci", metadata=metadata, status=status, **given
        )

    def prove(self, workflow: LiveWorkflow, *logs: LogRecord, **overrides: Any) -> None:
        """Archive it as a run does, with these logs."""
        body = self.cluster.get_workflow(namespace=workflow.namespace, name=workflow.name)
        assert body is not None
        row = build_row(decode(body), clustername="default", instanceid="")
        proof = ProvenVersion(
            clustername="default",
            uid=workflow.uid,
            resource_version=workflow.resource_version,
            digest="",
            proven_at=NOW,
            facts=Facts(
                phase=workflow.phase,
                finished_at=workflow.created_at,
                ttl_seconds=None,
                template="",
                artifact_gc_deletes_logs=False,
            ),
        )
        references = [
            LogReference(bucket=log.bucket, key=log.key, clustername="default", uid=log.uid)
            for log in logs
            if log.key
        ]
        write = RowWrite(
            row=row,
            expected_digest="",
            proof=replace(proof, **overrides),
            logs=logs,
            references=references,
        )
        written = self.archive.write_rows(self.grant(), [write])
        assert not written[0].refusal

    def proven(self, name: str, **given: Any) -> LiveWorkflow:
        """A finished and proven one without logs."""
        workflow = self.finished(name, **given)
        self.prove(workflow)
        return workflow

    def log(self, workflow: LiveWorkflow, **overrides: Any) -> LogRecord:
        """A stored log of it."""
        return factories.log_record(
            uid=workflow.uid,
            namespace=workflow.namespace,
            workflow=workflow.name,
            **{"key": f"{workflow.name}/main.log", **overrides},
        )


def policy(**overrides: Any) -> Policy:
    """As `factories.policy`, with proofs that may be of this moment."""
    return factories.policy(**{"proof_age": timedelta(0), **overrides})
