"""A site with its lease for commands that change something of ours without a job of Dagster's."""

import getpass
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.settings import Settings
from argo_retention.operations.leasing import leased
from argo_retention.operations.site import Site
from argo_retention.sites import open_site


@contextmanager
def working_on(settings: Settings, cluster: str, command: str) -> Iterator[tuple[Site, LeaseGrant]]:
    """The open site, with the lease; LeaseHeldError while a run works on the cluster."""
    run = f"{command}-{uuid.uuid4()}"
    by_whom = f"{getpass.getuser()}, argo-retention {command}"
    with (
        open_site(settings, cluster, run_id=run, root_run=run, by_whom=by_whom) as site,
        leased(site, host=socket.gethostname(), is_finished=lambda _: False) as grant,
    ):
        yield site, grant
