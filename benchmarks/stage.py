"""The real parts that the figures are measured on: PostgreSQL, S3, the emulated API, an open site on them.

A commit is on disk when it returns, as in any database that holds an archive (the demo itself does without).
"""

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from argo_retention.demo.argo_schema import make_argo_tables
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.demo.scenes.building import Run, SceneBuilder
from argo_retention.demo.scenes.installation import install_argo
from argo_retention.demo.scenes.loading import write_state
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address
from benchmarks.opening import CLUSTER, Installation
from benchmarks.workflows import BUCKET

NOW = datetime(2026, 6, 1, tzinfo=UTC)  # of the scene; workflows are made from January on

MakeRuns = Callable[[SceneBuilder], Iterable[Run]]


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
    def database(self, template: str | None = None) -> Iterator[str]:
        """URL of a new database with Argo's tables, or a copy of another one; dropped at the end."""
        name = f"argo_{next(self._numbers)}"
        dsn = self.postgres.create_database(name, template=template)
        try:
            if template is None:
                make_argo_tables(dsn)
            yield dsn
        finally:
            self.postgres.drop_database(name)

    @contextmanager
    def installation(
        self,
        make_runs: MakeRuns | None = None,
        *,
        with_pods: bool = False,
        template: str | None = None,
        **settings: Any,
    ) -> Iterator[Installation]:
        """An installation with these workflows in its emulated API, and an archive of its own."""
        with self.database(template) as dsn, KubeApiProcess() as api:
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
            scene = builder.build(s3=self.s3_address, settings={})
            state = self.folder / postgres.database
            write_state(state, scene)
            if make_runs is not None:
                _add_runs(state, builder, make_runs(builder), with_pods=with_pods)
            api.start(state, timeout_seconds=120)
            kubeconfig = write_kubeconfig(
                state / "kubeconfig", url=api.url, token=scene.token, cluster=CLUSTER
            )
            yield Installation(
                dsn=dsn,
                url=api.url,
                token=scene.token,
                settings_text=_settings(
                    kubeconfig,
                    # Database and place belong together, so each has its own.
                    {"storage": {"uri": f"s3://{BUCKET}/{postgres.database}"}, **settings},
                ),
            )
            shutil.rmtree(state, ignore_errors=True)


def _add_runs(state: Path, builder: SceneBuilder, runs: Iterable[Run], *, with_pods: bool) -> None:
    """Line by line: twenty thousand workflows are too many to be held as Python objects."""
    encode = msgspec.json.Encoder().encode
    with (
        (state / "objects.ndjson").open("ab") as objects,
        (state / "pod_logs.ndjson").open("ab") as pod_logs,
    ):
        for run in runs:
            builder.objects, builder.pod_logs = [], []
            builder.put_live(run, with_pods=with_pods)
            objects.writelines(encode(each) + b"\n" for each in builder.objects)
            pod_logs.writelines(encode(each) + b"\n" for each in builder.pod_logs)


def _settings(kubeconfig: Path, more: Mapping[str, Any]) -> str:
    """As JSON, which is YAML; deletions are allowed and not braked, or the brakes would be measured."""
    cluster = {
        "kubeconfig": str(kubeconfig),
        "retention": {"mode": "apply", "proof_age": 0},
        "brakes": {"max_deletions": 1_000_000, "max_share": 1, "max_drop": 1, "per_second": 1e6},
        **more,
    }
    return msgspec.json.encode({"clusters": {CLUSTER: cluster}}).decode()
