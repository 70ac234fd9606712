"""An open site with its lease, from settings; imports nothing of the demo, so that its memory is the product's."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.settings import Settings
from argo_retention.core.settings_file import parse_settings
from argo_retention.operations.leasing import leased
from argo_retention.operations.site import Site
from argo_retention.sites import open_site, utc_now

CLUSTER = "bench"


@dataclass(kw_only=True)
class Installation:
    """One installation of Argo with its own database and bucket, and its emulated API if it was asked for."""

    dsn: str
    url: str
    token: str
    settings_text: str

    @property
    def settings(self) -> Settings:
        """As the product reads them."""
        return parse_settings(self.settings_text, source="the benchmark")


@contextmanager
def opened(
    installation: Installation, *, run: str = "bench", clock: Callable[[], datetime] = utc_now
) -> Iterator[tuple[Site, LeaseGrant]]:
    """The site as the product opens it, with the lease of a run."""
    with (
        open_site(
            installation.settings,
            CLUSTER,
            run_id=run,
            root_run=run,
            by_whom="benchmarks",
            clock=clock,
        ) as site,
        leased(site, host="localhost", is_finished=lambda _: False) as grant,
    ):
        yield site, grant
