"""A small seed whose three servers are reached through wires, with all waiting shortened."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from argo_retention.adapters import object_files, retries
from argo_retention.adapters.kubernetes_cluster import connecting, listing
from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.postgres_archive import connection
from argo_retention.demo.kube_api.process import write_kubeconfig
from argo_retention.demo.scenes.installation import NAMESPACE
from argo_retention.operations import archiving, collecting, expiring, leasing
from argo_retention_tests.e2e.worlds import Servers, World, seed_world
from argo_retention_tests.wire.http_wire import HttpWire, kubernetes_refusal, s3_refusal
from argo_retention_tests.wire.tcp_wire import TcpWire

#: How much shorter each wait of the product is than in production.
SHORTER = 15
PAGE = 3
BATCH = 3


@dataclass(frozen=True, kw_only=True)
class Wires:
    """The three wires and the world behind them."""

    world: World
    api: HttpWire
    s3: HttpWire
    database: TcpWire

    def mend(self) -> None:
        """Everything passes again."""
        for each in (self.api, self.s3, self.database):
            each.mend()

    @property
    def done(self) -> list[str]:
        """What was met, for messages."""
        return [*self.api.done, *self.s3.done, *self.database.done]


def shorten_waits(patch: pytest.MonkeyPatch, *, shorter: float = SHORTER) -> None:
    """Deadlines and pauses of all adapters, in proportion."""
    patch.setitem(connecting.connect.__kwdefaults__, "read_seconds", 60 / shorter)
    patch.setattr(listing, "LIST_SECONDS", 120 / shorter)
    patch.setattr(
        object_files,
        "TIMEOUTS",
        {
            "connect_timeout": timedelta(seconds=5 / shorter),
            "read_timeout": timedelta(seconds=15 / shorter),
            "timeout": timedelta(seconds=60 / shorter),
            "user_agent": "argo-retention",
        },
    )
    patch.setattr(
        object_files, "RETRIES", {**object_files.RETRIES, "retry_timeout": timedelta(seconds=3)}
    )
    patch.setattr(connection, "SILENCE_SECONDS", connection.SILENCE_SECONDS / shorter)
    patch.setattr(leasing, "HEARTBEAT_SECONDS", leasing.HEARTBEAT_SECONDS / shorter)
    pause = retries.Patience.__init__.__kwdefaults__["first_pause"]  # a dataclass with slots
    patch.setitem(retries.Patience.__init__.__kwdefaults__, "first_pause", pause / 4)
    patch.setitem(retries.Patience.__init__.__kwdefaults__, "longest_pause", 0.5)


def small_pages(patch: pytest.MonkeyPatch) -> None:
    """So that eight workflows are three pages and three batches."""
    for method in (KubernetesCluster.list_metadata, KubernetesCluster.list_full):
        patch.setitem(method.__kwdefaults__, "page_size", PAGE)
    patch.setattr(archiving, "PAGE", PAGE)
    for module in (archiving, collecting, expiring):
        patch.setattr(module, "BATCH", BATCH)


@contextlib.contextmanager
def wired_world(servers: Servers, folder: Path, **options: Any) -> Iterator[Wires]:
    """The seed behind wires; the options are those of `seed_world`."""
    with (
        HttpWire(servers.s3_address.endpoint, refusal=s3_refusal) as s3,
        TcpWire(servers.postgres.port) as database,
        seed_world(servers, folder, s3_port=s3.port, db_port=database.port, **options) as world,
        HttpWire(world.url, refusal=kubernetes_refusal) as api,
    ):
        write_kubeconfig(
            world.kubeconfig,
            url=f"http://127.0.0.1:{api.port}",
            token=world.scene.token,
            cluster=world.scene.name,
            namespace=NAMESPACE,
        )
        yield Wires(world=world, api=api, s3=s3, database=database)
