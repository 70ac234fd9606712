"""One Argo installation with the open ports to its servers: what every operation works on."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from argo_retention.core.argo_settings import ArgoSettings
from argo_retention.core.artifact_repositories import ArtifactRepository
from argo_retention.core.policy import Policy
from argo_retention.core.ports.archive import Archive
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.ports.table_store import TableStore
from argo_retention.core.selectors import managed_selector
from argo_retention.core.settings import ClusterSettings
from argo_retention.operations.log_stores import LogStores

Progress = Callable[[str, int, int | None], None]
"""Called with (stage, done so far, total or None), from any thread, often."""


def no_progress(_stage: str, _done: int, _total: int | None) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What was found out about one Argo installation; nothing in here is secret."""

    partition: str  # name of the cluster in retention.yaml
    controller_namespace: str
    configmap: str
    found_by: str  # how the ConfigMap was found, for people
    controllers: tuple[str, ...] = ()  # Deployments of the controller that read this ConfigMap
    gc_period: str = ""  # the controller's ARCHIVED_WORKFLOW_GC_PERIOD, such as 1m
    managed_namespace: str | None  # None: all namespaces
    argo: ArgoSettings
    settings: ClusterSettings
    policy: Policy

    @property
    def clustername(self) -> str:
        """Argo's clusterName: first half of the archive's key."""
        return self.argo.persistence.cluster_name

    @property
    def instanceid(self) -> str:
        """Argo's instanceID; empty when unset."""
        return self.argo.instance_id

    @property
    def selector(self) -> str:
        """Label selector of the workflows that this installation manages."""
        return managed_selector(self.instanceid)

    @property
    def repository(self) -> ArtifactRepository | None:
        """The controller's own artifact repository."""
        return self.argo.artifact_repository

    @property
    def applies(self) -> bool:
        """Whether a person wrote `mode: apply`; otherwise nothing is ever deleted."""
        return self.settings.retention.mode == "apply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The installation, its ports, and for whom this run works."""

    installation: Installation
    cluster: Cluster
    archive: Archive
    tables: TableStore
    log_stores: LogStores
    clock: Callable[[], datetime]  # UTC
    run_id: str  # names the files and ledger entries that this run writes
    root_run: str  # a re-execution works on for the same root: its lease, its snapshot, its plan
    by_whom: str  # for the ledger
    progress: Progress = no_progress
