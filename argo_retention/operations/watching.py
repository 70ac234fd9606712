"""Which workflows finished since a cursor: a short watch of metadata, so that a look costs what changed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from argo_retention.core.labels import ArchivingStatus
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.ports.cluster import Cluster, MetadataPage
from argo_retention.core.watch_cursors import Scope
from argo_retention.errors import WatchExpiredError

WATCH_SECONDS = 3
#: A server that has something to say of the past says it at once.
QUIET_SECONDS = 0.15
NAMESPACES_SHOWN = 50
SAMPLE = 20


@dataclass(slots=True, kw_only=True)
class Overview:
    """The live workflows, counted."""

    live: int = 0
    finished: int = 0
    waiting: int = 0  # finished, and without Argo's label Archived
    oldest_waiting: datetime | None = None  # metadata.creationTimestamp
    by_phase: Counter[str] = field(default_factory=Counter)
    by_namespace: Counter[str] = field(default_factory=Counter)

    def add(self, workflow: LiveWorkflow) -> None:
        """One more."""
        self.live += 1
        self.by_phase[workflow.phase or "none"] += 1
        self.by_namespace[workflow.namespace] += 1
        self.finished += workflow.is_finished
        if waits(workflow):
            self.waiting += 1
            first = self.oldest_waiting
            self.oldest_waiting = min(first or workflow.created_at, workflow.created_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look saw."""

    finished: Mapping[str, str]  # uid → namespace/name: finished and not archived
    gone: frozenset[str]  # uids that wait no more: archived, deleted, or running again
    version: str  # the resourceVersion to go on from
    settled: str  # the server's own version before the look
    looked_at: int  # workflows listed, or events seen
    listed: str = ""  # why everything was listed; "" where a watch was enough
    overview: Overview | None = None  # of a list


def look_for_finished(
    cluster: Cluster, scope: Scope, version: str, *, settled: str = "", because: str = ""
) -> Seen:
    """Watch from a version until the server has nothing more to say; list where that cannot be done.

    `settled` is the server's version at the look before: what happened up to then has been said by now, so
    the next look may begin there although no event of ours carried that version. `because` says why there is
    no version.

    Raises ClusterError or ListIncompleteError; then nothing was learnt.
    """
    if not version:
        return _list(cluster, scope, because or "there is no version to watch from")
    first = next(
        iter(cluster.list_metadata(selector=scope.selector, namespace=scope.namespace, page_size=1))
    )
    now = first.resource_version
    if int(now) < int(version):
        return _list(cluster, scope, f"the cluster was set back (version {version}, now {now})")
    finished: dict[str, str] = {}
    gone: set[str] = set()
    looked_at = 0
    try:
        for kind, workflow, at in cluster.watch_metadata(
            selector=scope.selector,
            namespace=scope.namespace,
            resource_version=version,
            seconds=WATCH_SECONDS,
            quiet_seconds=QUIET_SECONDS,
        ):
            version = at or version
            if workflow is None:
                continue
            looked_at += 1
            if kind != "DELETED" and waits(workflow):
                finished[workflow.uid] = workflow.path
                gone.discard(workflow.uid)
            else:
                finished.pop(workflow.uid, None)
                gone.add(workflow.uid)
    except WatchExpiredError:
        return _list(cluster, scope, f"version {version} is too old to watch from")
    return Seen(
        finished=finished,
        gone=frozenset(gone),
        version=max(version, settled or version, key=int),
        settled=now,
        looked_at=looked_at,
    )


def _list(cluster: Cluster, scope: Scope, because: str) -> Seen:
    finished: dict[str, str] = {}
    overview = Overview()
    version = ""
    for page in _pages(cluster, scope):
        version = page.resource_version
        for workflow in page.workflows:
            overview.add(workflow)
            if waits(workflow):
                finished[workflow.uid] = workflow.path
    return Seen(
        finished=finished,
        gone=frozenset(),
        version=version,
        settled=version,
        looked_at=overview.live,
        listed=because,
        overview=overview,
    )


def look_over(cluster: Cluster, scope: Scope) -> Overview:
    """Count all workflows that are live now, by a list of metadata. Raises as `look_for_finished`."""
    overview = Overview()
    for page in _pages(cluster, scope):
        for workflow in page.workflows:
            overview.add(workflow)
    return overview


def sampled_bytes(cluster: Cluster, scope: Scope, live: int) -> int:
    """About how many bytes of JSON all of them are: the mean of the first few, times their number."""
    pages = cluster.list_full(selector=scope.selector, namespace=scope.namespace, page_size=SAMPLE)
    page = next(iter(pages), ())
    return round(sum(len(body) for body in page) / len(page) * live) if page else 0


def _pages(cluster: Cluster, scope: Scope) -> Iterator[MetadataPage]:
    return cluster.list_metadata(selector=scope.selector, namespace=scope.namespace)


def waits(workflow: LiveWorkflow) -> bool:
    """Finished and not labelled Archived: our own label patch must not wake the sensor again."""
    return workflow.is_finished and workflow.archiving_status != ArchivingStatus.ARCHIVED
