"""What is held now: by annotation of a namespace, and by `argo-retention hold`."""

from argo_retention.core.holds import Holds, holds_of
from argo_retention.operations.site import Site


def holds_now(site: Site, *, ready: bool = True) -> Holds:
    """Place → why. Raises ClusterError or DatabaseError: who cannot ask does not delete.

    Where our tables are not there yet (`ready` is False), nobody can have held anything in them.
    """
    installation = site.installation
    recorded = (
        site.archive.holds(clustername=installation.clustername, instanceid=installation.instanceid)
        if ready
        else ()
    )
    return holds_of(site.cluster.namespaces(), recorded)
