"""One run at a time for each installation: the lease is kept alive while the run works."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.ports.archive import Archive
from argo_retention.errors import ArgoRetentionError, LeaseLostError
from argo_retention.operations.site import Site

HEARTBEAT_SECONDS = 10.0


@contextmanager
def held_lease(
    archive: Archive,
    *,
    clustername: str,
    instanceid: str,
    root_run: str,
    host: str,
    is_finished: Callable[[str], bool],
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
) -> Iterator[LeaseGrant]:
    """Take (or re-enter) the lease, keep it alive from a thread, give it back at the end.

    Raises LeaseHeldError when somebody else has it. When it is lost meanwhile, the next write raises
    LeaseLostError by itself, since every write carries the fencing token.
    """
    grant = archive.acquire_lease(
        clustername=clustername,
        instanceid=instanceid,
        root_run=root_run,
        host=host,
        is_finished=is_finished,
    )
    stop = threading.Event()
    thread = threading.Thread(
        target=_beat, args=(archive, grant, stop, heartbeat_seconds), name="lease", daemon=True
    )
    thread.start()
    try:
        yield grant
    finally:
        stop.set()
        thread.join()
        archive.release_lease(grant)


@contextmanager
def leased(site: Site, *, host: str, is_finished: Callable[[str], bool]) -> Iterator[LeaseGrant]:
    """The lease of a site's installation for its root run; our tables are brought to this version first."""
    site.archive.migrate()
    with held_lease(
        site.archive,
        clustername=site.installation.clustername,
        instanceid=site.installation.instanceid,
        root_run=site.root_run,
        host=host,
        is_finished=is_finished,
    ) as grant:
        yield grant


def _beat(archive: Archive, grant: LeaseGrant, stop: threading.Event, seconds: float) -> None:
    while not stop.wait(seconds):
        try:
            archive.heartbeat(grant)
        except LeaseLostError:
            return
        except ArgoRetentionError:
            # The database may be away for a moment; the lease is stale only after several beats.
            continue
