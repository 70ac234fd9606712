"""The real parts that the figures are measured on: PostgreSQL, S3, the emulated API, an open site on them.

A commit is on disk when it returns, as in any database that holds an archive (the demo itself does without).
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from argo_retention.core.ledger import LeaseGrant
from argo_retention.core.settings import Settings
from argo_retention.core.settings_file import parse_settings
from argo_retention.demo.argo_schema import make_argo_tables
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.demo.scenes.building import Run, SceneBuilder
from argo_retention.demo.scenes.installation import install_argo
from argo_retention.demo.scenes.loading import write_state
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address
from argo_retention.operations.leasing import held_lease
from argo_retention.operations.site import Site
from argo_retention.sites import open_site, utc_now
from benchmarks.workflows import BUCKET

CLUSTER = "bench"
NOW = datetime(2026, 6, 1, tzinfo=UTC)  # of the scene; workflows are made from January on

MakeRuns = Callable[[SceneBuilder], Iterable[Run]]


@dataclass(kw_only=True)
class Installation:
    """One installation of Argo with its own database and bucket, and its emulated API if it was asked for."""

    dsn: str
    url: str
    token: str
    settings: Settings
    bodies: list[bytes]


class Stage:
    """PostgreSQL and S3 of one run of the benchmarks; databases and clusters come and go."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.folder = Path(tempfile.mkdtemp(prefix="argo-retention-bench-"))
        self.postgres = PostgresServer(durable=True)
        self.s3 = S3Server()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        self.postgres.start()
        self.s3.start()
        self.s3.create_bucket(BUCKET)
        return self

    def __exit__(self, *_: object) -> None:
        self.s3.stop()
        self.postgres.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def size(self, whole: int, quick: int) -> int:
        """How many: few with --quick, which only shows that everything runs."""
        return quick if self.quick else whole

    @property
    def s3_address(self) -> S3Address:
        """The S3 API with its keys."""
        s3 = self.s3
        return S3Address(endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key)

    @contextmanager
    def database(self) -> Iterator[str]:
        """URL of a new database with Argo's tables; dropped at the end."""
        name = f"argo_{next(self._numbers)}"
        dsn = self.postgres.create_database(name)
        try:
            make_argo_tables(dsn)
            yield dsn
        finally:
            self.postgres.drop_database(name)

    @contextmanager
    def installation(
        self, make_runs: MakeRuns | None = None, *, with_pods: bool = False, **settings: Any
    ) -> Iterator[Installation]:
        """An installation with these workflows in its emulated API, and an empty archive."""
        with self.database() as dsn, KubeApiProcess() as api:
            postgres = PostgresAddress(
                host=self.postgres.host,
                port=self.postgres.port,
                database=dsn.rpartition("/")[2],
                user=self.postgres.user,
                password=self.postgres.password,
            )
            builder = SceneBuilder(name=CLUSTER, clustername=CLUSTER, now=NOW, buckets=[BUCKET])
            install_argo(
                builder, retention_policy={}, bucket=BUCKET, s3=self.s3_address, postgres=postgres
            )
            for run in make_runs(builder) if make_runs is not None else ():
                builder.put_live(run, with_pods=with_pods)
            scene = builder.build(s3=self.s3_address, settings={})
            state = self.folder / postgres.database
            write_state(state, scene)
            token = scene.token
            del builder, scene  # the emulator has them now
            api.start(state, timeout_seconds=120)
            kubeconfig = write_kubeconfig(
                state / "kubeconfig", url=api.url, token=token, cluster=CLUSTER
            )
            yield Installation(
                dsn=dsn,
                url=api.url,
                token=token,
                settings=parse_settings(_settings(kubeconfig, settings), source="the benchmark"),
                bodies=[],
            )
            shutil.rmtree(state, ignore_errors=True)


def _settings(kubeconfig: Path, more: Mapping[str, Any]) -> str:
    """As JSON, which is YAML; deletions are allowed and not braked, or the brakes would be measured."""
    cluster = {
        "kubeconfig": str(kubeconfig),
        "retention": {"mode": "apply", "proof_age": 0},
        "brakes": {"max_deletions": 1_000_000, "max_share": 1, "max_drop": 1, "per_second": 1e6},
        **more,
    }
    return msgspec.json.encode({"clusters": {CLUSTER: cluster}}).decode()


@contextmanager
def opened(
    installation: Installation, *, run: str = "bench", clock: Callable[[], datetime] = utc_now
) -> Iterator[tuple[Site, LeaseGrant]]:
    """The site as the product opens it, with the lease of a run."""
    with open_site(
        installation.settings, CLUSTER, run_id=run, root_run=run, by_whom="benchmarks", clock=clock
    ) as site:
        site.archive.migrate()
        with held_lease(
            site.archive,
            clustername=site.installation.clustername,
            instanceid=site.installation.instanceid,
            root_run=run,
            host="localhost",
            is_finished=lambda _: False,
        ) as grant:
            yield site, grant
