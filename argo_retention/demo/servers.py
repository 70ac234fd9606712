"""All servers of the demo: PostgreSQL, S3, and one emulated Kubernetes API for each cluster."""

import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from argo_retention.demo.argo_schema import make_argo_tables
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.demo.scenes.installation import NAMESPACE
from argo_retention.demo.scenes.loading import load_objects, load_rows, write_state
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Scene

ARCHIVE_DATABASE = "argo"
DAGSTER_DATABASE = "dagster"
#: Of Dagster's compute logs.
DAGSTER_BUCKET = "dagster"
#: SeaweedFS makes Unix sockets below it, whose paths have at most 104 characters on macOS.
_LONGEST_FOLDER = 65
_ENDING_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoCluster:
    """One emulated cluster and how to reach it."""

    name: str
    url: str
    kubeconfig: Path  # with the product's rights
    admin_kubeconfig: Path  # for kubectl, an administrator's
    admin_token: str = field(repr=False)
    process: KubeApiProcess = field(repr=False)


class DemoServers:
    """Starts everything, as much as possible at the same time, and stops everything in every case.

    SIGTERM and SIGHUP end the block like Ctrl-C. What a killed process leaves behind is removed by the
    guardians of its servers.

    Args:
        folder: Where its own folder is made; the system's temporary folder if None.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Starts nothing yet."""
        self._wanted = folder
        self._stack = ExitStack()
        self.folder = Path()
        self.clusters: dict[str, DemoCluster] = {}
        self.postgres = PostgresServer()
        self.s3 = S3Server()

    @property
    def archive_dsn(self) -> str:
        """URL of the database with Argo's tables."""
        return self.postgres.dsn(ARCHIVE_DATABASE)

    @property
    def dagster_dsn(self) -> str:
        """URL of the empty database for Dagster's storage."""
        return self.postgres.dsn(DAGSTER_DATABASE)

    @property
    def postgres_address(self) -> PostgresAddress:
        """The archive, as scenes write it into Argo's ConfigMap and Secret."""
        return PostgresAddress(
            host=self.postgres.host,
            port=self.postgres.port,
            database=ARCHIVE_DATABASE,
            user=self.postgres.user,
            password=self.postgres.password,
        )

    @property
    def s3_address(self) -> S3Address:
        """The S3 API with its keys."""
        return S3Address(
            endpoint=self.s3.endpoint,
            access_key=self.s3.access_key,
            secret_key=self.s3.secret_key,
        )

    def __enter__(self) -> Self:
        """Start PostgreSQL and S3, with empty databases and buckets."""
        with ExitStack() as stack:
            stack.enter_context(_signals_end_the_block())
            self.folder = Path(tempfile.mkdtemp(prefix="argo-retention-demo-", dir=self._wanted))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.postgres = PostgresServer(self.folder)
            fits = len(str(self.folder)) <= _LONGEST_FOLDER
            self.s3 = S3Server(self.folder if fits else None)
            stack.callback(self._stop)
            _at_the_same_time([self._start_postgres, self._start_s3])
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop everything and remove the folder."""
        self._stack.close()

    def load(self, scenes: Sequence[Scene]) -> None:
        """Start the clusters of these scenes, and fill database and buckets."""
        for bucket in sorted({bucket for scene in scenes for bucket in scene.buckets}):
            self.s3.create_bucket(bucket)
        _at_the_same_time(
            [
                *(_later(self._start_cluster, scene) for scene in scenes),
                lambda: load_objects(self.s3_address, scenes),
                lambda: load_rows(self.archive_dsn, scenes),
            ]
        )

    def _start_postgres(self) -> None:
        self.postgres.start()
        make_argo_tables(self.postgres.create_database(ARCHIVE_DATABASE))
        self.postgres.create_database(DAGSTER_DATABASE)

    def _start_s3(self) -> None:
        self.s3.start()
        self.s3.create_bucket(DAGSTER_BUCKET)

    def _start_cluster(self, scene: Scene) -> None:
        state = self.folder / "clusters" / scene.name
        write_state(state, scene)
        process = KubeApiProcess()
        # Stopping an ended one is harmless, so it is registered before it starts.
        self._stack.callback(process.stop)
        process.start(state)
        self.clusters[scene.name] = DemoCluster(
            name=scene.name,
            url=process.url,
            kubeconfig=write_kubeconfig(
                state / "kubeconfig",
                url=process.url,
                token=scene.token,
                cluster=scene.name,
                namespace=NAMESPACE,
            ),
            admin_kubeconfig=write_kubeconfig(
                state / "kubectl.kubeconfig",
                url=process.url,
                token=scene.admin_token,
                cluster=scene.name,
                namespace=NAMESPACE,
                for_kubectl=True,
            ),
            admin_token=scene.admin_token,
            process=process,
        )

    def _stop(self) -> None:
        _at_the_same_time([self.postgres.stop, self.s3.stop])


def _later(function: Callable[[Scene], None], scene: Scene) -> Callable[[], None]:
    return lambda: function(scene)


def _at_the_same_time(functions: Sequence[Callable[[], None]]) -> None:
    """Call all of them in threads, wait for all of them, and raise the first error."""
    with ThreadPoolExecutor(len(functions), thread_name_prefix="demo") as pool:
        futures = [pool.submit(function) for function in functions]
        # Ctrl-C lands here; leaving the block waits for the threads, so that what they started is stopped.
        wait(futures)
    for future in futures:
        future.result()


@contextmanager
def _signals_end_the_block() -> Iterator[None]:
    """Turn signals that would end the process at once into SystemExit, in the main thread only."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {each: signal.signal(each, _exit) for each in _ENDING_SIGNALS}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
