"""One workflow through the port that deletes many."""

from argo_retention.core.ports.cluster import (
    Cluster,
    DeleteOutcome,
    DeleteResult,
    DeleteTarget,
    Sending,
)
from argo_retention.errors import ClusterError


def at_once(results: dict[int, DeleteResult]) -> Sending:
    """Send without waiting; what became of each stands at its place."""

    def report(place: int, result: DeleteResult) -> None:
        assert place not in results, f"told twice of {place}"
        results[place] = result

    return Sending(turn=lambda: 0.0, is_stopped=lambda: False, report=report)


def delete_one(
    cluster: Cluster, *, namespace: str, name: str, uid: str, resource_version: int
) -> DeleteOutcome:
    """The outcome; raises the error where it is one."""
    results: dict[int, DeleteResult] = {}
    target = DeleteTarget(namespace, name, uid, resource_version)
    cluster.delete_workflows([target], at_once(results))
    if isinstance(results[0], ClusterError):
        raise results[0]
    return results[0]
