"""Which workflows finished since a cursor: a short watch of metadata, so that a look costs what changed."""

from dataclasses import dataclass

from argo_retention.core.labels import ArchivingStatus
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.ports.cluster import Cluster
from argo_retention.errors import WatchExpiredError
from argo_retention.operations.site import Installation

WATCH_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What one look saw; `cursor` is the resourceVersion to go on from."""

    finished: tuple[str, ...]  # namespace/name of workflows that finished and are not archived
    cursor: str
    looked_at: int  # workflows listed, or events seen
    listed: bool  # a whole list, because there was no cursor or it was too old


def look_for_finished(
    cluster: Cluster, installation: Installation, cursor: str, *, seconds: int = WATCH_SECONDS
) -> Seen:
    """Watch from the cursor for some seconds; list where there is none or it is too old.

    Raises ClusterError or ListIncompleteError; the cursor then stays where it was.
    """
    if not cursor:
        return _list(cluster, installation)
    finished: dict[str, LiveWorkflow] = {}
    looked_at = 0
    try:
        for kind, workflow, version in cluster.watch_metadata(
            selector=installation.selector,
            namespace=installation.managed_namespace,
            resource_version=cursor,
            seconds=seconds,
        ):
            cursor = version or cursor
            if workflow is None:
                continue
            looked_at += 1
            if kind != "DELETED" and _is_new(workflow):
                finished[workflow.uid] = workflow
            else:
                finished.pop(workflow.uid, None)
    except WatchExpiredError:
        return _list(cluster, installation)
    return Seen(
        finished=tuple(w.path for w in finished.values()),
        cursor=cursor,
        looked_at=looked_at,
        listed=False,
    )


def _list(cluster: Cluster, installation: Installation) -> Seen:
    finished: list[str] = []
    looked_at, version = 0, ""
    for page in cluster.list_metadata(
        selector=installation.selector, namespace=installation.managed_namespace
    ):
        version = page.resource_version
        looked_at += len(page.workflows)
        finished += [w.path for w in page.workflows if _is_new(w)]
    return Seen(finished=tuple(finished), cursor=version, looked_at=looked_at, listed=True)


def _is_new(workflow: LiveWorkflow) -> bool:
    """Finished and not labelled Archived: our own label patch must not wake the sensor again."""
    return workflow.is_finished and workflow.archiving_status != ArchivingStatus.ARCHIVED
