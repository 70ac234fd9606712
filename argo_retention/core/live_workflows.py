"""A workflow as a metadata-only list shows it: labels, versions and times, no spec, no status."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from argo_retention.core import labels
from argo_retention.core.phases import WorkflowPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerReference:
    """One entry of metadata.ownerReferences; background deletion cascades along these."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveWorkflow:
    """Metadata of one Workflow in the cluster, at one resourceVersion."""

    uid: str
    namespace: str
    name: str
    resource_version: int
    created_at: datetime  # metadata.creationTimestamp, UTC
    deleting: bool  # metadata.deletionTimestamp is set
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    finalizers: tuple[str, ...] = ()
    owners: tuple[OwnerReference, ...] = ()

    @property
    def phase(self) -> str:
        """The phase label; empty before the controller has seen the workflow."""
        return self.labels.get(labels.PHASE, "")

    @property
    def archiving_status(self) -> str:
        """The archiving label; empty when Argo wants no archiving (yet)."""
        return self.labels.get(labels.ARCHIVING_STATUS, "")

    @property
    def is_finished(self) -> bool:
        """The controller is through with it: completed label and a completed phase.

        `argo retry` takes both labels off, so a retried workflow is not finished.
        """
        return self.labels.get(labels.COMPLETED) == "true" and self.phase in FINISHED_PHASES

    @property
    def template(self) -> str:
        """Name of the WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow it came from, or ""."""
        for label in (
            labels.WORKFLOW_TEMPLATE,
            labels.CLUSTER_WORKFLOW_TEMPLATE,
            labels.CRON_WORKFLOW,
        ):
            name = self.labels.get(label)
            if name:
                return name
        return ""

    @property
    def path(self) -> str:
        """namespace/name, as people write it."""
        return f"{self.namespace}/{self.name}"


FINISHED_PHASES = frozenset(phase.value for phase in WorkflowPhase if phase.is_completed)
