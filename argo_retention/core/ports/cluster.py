"""Port: the Kubernetes API of one cluster."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.errors import ClusterError


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataPage:
    """One page of a consistent, metadata-only list."""

    workflows: Sequence[LiveWorkflow]
    resource_version: str  # of the whole list, the same on each page
    remaining: int | None  # what the server says is still to come


class DeleteOutcome(StrEnum):
    """What the API server answered to one DELETE."""

    DELETED = "deleted"  #: 200 with a Status: gone
    TERMINATING = "terminating"  #: 200 with the object: a finalizer holds it
    GONE = "gone"  #: 404: somebody else was first
    CHANGED = "changed"  #: 409: another uid or resourceVersion; kept


@dataclass(frozen=True, slots=True)
class DeleteTarget:
    """One version of one Workflow."""

    namespace: str
    name: str
    uid: str
    resource_version: int


DeleteResult = DeleteOutcome | ClusterError  # the error: it is not known to be deleted


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How requests are sent, and who is told what became of them; called from any thread, so be quick."""

    turn: Callable[[], float]  # takes a turn; seconds until it comes
    is_stopped: Callable[[], bool]  # whether nothing more is to be sent
    report: Callable[[int, DeleteResult], None]  # what became of the target at this place


class PatchOutcome(StrEnum):
    """What the API server answered to the archiving label's patch."""

    PATCHED = "patched"
    GONE = "gone"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchResult:
    """Answer to one merge patch; `resource_version` is the new one, 0 unless patched."""

    outcome: PatchOutcome
    resource_version: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """State of one container of a pod, as far as its log is concerned."""

    name: str
    state: str  # "waiting", "running", "terminated", or "unknown"
    reason: str = ""  # e.g. "ContainerStatusUnknown", "Completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """What log saving needs of a pod."""

    namespace: str
    name: str
    uid: str
    phase: str
    workflow_uids: tuple[str, ...]  # uids of the Workflows in its ownerReferences
    node_id: str  # annotation workflows.argoproj.io/node-id, or ""
    containers: Mapping[str, ContainerState]


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace and its annotations (holds are read from them)."""

    name: str
    annotations: Mapping[str, str]
    uid: str = ""


class Cluster(ABC):
    """The Kubernetes API of one cluster. Lists that decide are consistent reads."""

    @abstractmethod
    def list_metadata(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[MetadataPage]:
        """Pages of all Workflows, metadata only; namespace None is all namespaces.

        Raises ListIncompleteError when a page is refused, a token expires, or two pages come from different
        versions; ClusterForbiddenError on 401 and 403.
        """

    @abstractmethod
    def list_full(
        self, *, selector: str, namespace: str | None, page_size: int = 500
    ) -> Iterator[Sequence[bytes]]:
        """Pages of full objects, each as the JSON bytes of one item, undecoded. Errors as `list_metadata`."""

    @abstractmethod
    def get_workflow(self, *, namespace: str, name: str) -> bytes | None:
        """The full object as JSON bytes; None for 404."""

    @abstractmethod
    def mark_archived(
        self, *, namespace: str, name: str, uid: str, resource_version: int
    ) -> PatchResult:
        """Set the archiving label to Archived by a merge patch that carries uid and resourceVersion."""

    @abstractmethod
    def delete_workflows(self, targets: Sequence[DeleteTarget], sending: Sending) -> None:
        """DELETE each with both preconditions in the body, background propagation, many in flight.

        Each is sent when its turn has come, unless all is stopped; each that was sent is reported, once.
        Waits as a 429 tells it to.
        """

    @abstractmethod
    def workflow_exists(self, *, namespace: str, name: str, uid: str) -> bool:
        """Whether the object of this very uid is still there (used after `terminating`)."""

    @abstractmethod
    def get_pod(self, *, namespace: str, name: str) -> Pod | None:
        """The pod; None for 404."""

    @abstractmethod
    def pods_of(self, *, namespace: str, workflow: str) -> Sequence[Pod]:
        """The pods that carry the label of a workflow of this name; they may be another workflow's."""

    @abstractmethod
    def open_pod_log(
        self, *, namespace: str, pod: str, container: str
    ) -> AbstractContextManager[Iterator[bytes]]:
        """The log as a stream of chunks (raw bytes, not text).

        Raises ClusterError, also in the middle of the stream when it is cut;
        a pod that is gone raises PodLogGoneError.
        """

    @abstractmethod
    def namespaces(self) -> Sequence[Namespace]:
        """All namespaces with their annotations."""

    @abstractmethod
    def server_time(self) -> datetime:
        """The `Date` header of an answer given now, UTC."""

    @abstractmethod
    def watch_metadata(
        self,
        *,
        selector: str,
        namespace: str | None,
        resource_version: str,
        seconds: int,
        quiet_seconds: float | None = None,
    ) -> Iterator[tuple[str, LiveWorkflow | None, str]]:
        """Events (type, workflow or None for BOOKMARK, resourceVersion) from a version on, for some seconds.

        It ends sooner where nothing came for `quiet_seconds`: what was known to the server has come by then,
        unless its watch cache lags behind etcd.
        Raises WatchExpiredError when the version is too old (410).
        """

    # -- configuration -------------------------------------------------------------------------------

    @abstractmethod
    def get_object(self, *, kind: str, namespace: str, name: str) -> Mapping[str, Any] | None:
        """One ConfigMap, Secret or Deployment (kind as spelled there), decoded; None for 404."""

    @abstractmethod
    def list_objects(self, *, kind: str, namespace: str | None) -> Sequence[Mapping[str, Any]]:
        """All Deployments, ConfigMaps, CronWorkflows, WorkflowTemplates or Pods of a namespace or of all."""

    @abstractmethod
    def allowed(self, *, verb: str, group: str, resource: str, namespace: str | None) -> bool:
        """SelfSubjectAccessReview; resource may be "pods/log"; namespace None asks for all."""
