"""Runs in a child process that gets a signal at a chosen call of a port.

The children are forked by a server that has imported everything, so that a death costs a run and not an
import of Dagster. Batches are of two, so that a death finds some done, some begun and some untouched.
"""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.parquet_tables import ParquetTables
from argo_retention.adapters.postgres_archive.archive import PostgresArchive
from argo_retention.adapters.s3_log_store import S3LogStore
from argo_retention.cli.executing import run_job
from argo_retention.cli.main import main
from argo_retention.core.settings_file import parse_settings
from argo_retention.operations import archiving, collecting, expiring, saving_logs
from argo_retention.operations.pacing import Pace
from argo_retention.operations.site import no_progress
from argo_retention.sites import CONFIG_VARIABLE
from argo_retention_tests.e2e.forking import fork, pipe
from argo_retention_tests.e2e.worlds import World, utc_now

#: Where a run may die: in front of a server, when a DELETE has its turn, or at an event of Dagster's.
PORTS = {
    "cluster": KubernetesCluster,
    "archive": PostgresArchive,
    "bucket": S3LogStore,
    "pace": Pace,
    "tables": ParquetTables,
    "events": dg.DagsterInstance,
}
BATCH = 2
SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Point:
    """A moment of a run: before or after the nth call of a method of a port."""

    port: str
    method: str
    call: int
    after: bool
    signal: int = signal.SIGKILL

    def __str__(self) -> str:
        when = "after" if self.after else "before"
        return f"{when} {self.method} {self.call}"


def start_and_die(
    world: World, job: str, point: Point, *, ahead: timedelta = timedelta(), home: str = ""
) -> None:
    """Run the job in a child, which must die at the point; `home` is the folder of a Dagster instance."""
    assert dies(world, job, point, ahead=ahead, home=home), f"{point} was not reached"


def dies(
    world: World, job: str, point: Point, *, ahead: timedelta = timedelta(), home: str = ""
) -> bool:
    """Whether the job, run in a child, died at the point; else it ended by itself before it got there."""
    child = fork(_run, world.settings_text, job, world.scene.name, point, ahead, home)
    child.join(SECONDS)
    assert child.exitcode in {0, -point.signal}, f"{point}: exit code {child.exitcode}"
    return child.exitcode != 0


def start_command(
    world: World, arguments: list[str], point: Point, *, home: Path
) -> tuple[int | None, float]:
    """Run a command in a child, which gets the signal at the point; its exit code, and how long it lived on."""
    config = home / "retention.yaml"
    config.write_text(world.settings_text)
    (home / "dagster.yaml").touch()
    environment = {"DAGSTER_HOME": str(home), CONFIG_VARIABLE: str(config)}
    reader, writer = pipe()
    child = fork(_command, arguments, environment, point, writer)
    writer.close()
    sent_at = reader.recv()
    child.join(SECONDS)
    return child.exitcode, utc_now().timestamp() - sent_at


def _run(text: str, job: str, cluster: str, point: Point, ahead: timedelta, home: str) -> None:
    _arm(point, lambda: None)
    with (
        dg.DagsterInstance.local_temp(home) if home else dg.DagsterInstance.ephemeral() as instance
    ):
        run_job(
            parse_settings(text, source="retention.yaml"),
            job=job,
            cluster=cluster,
            instance=instance,
            progress=no_progress,
            by_whom="a run that dies",
            clock=lambda: utc_now() + ahead,
        )


def _command(arguments: list[str], environment: dict[str, str], point: Point, writer: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a background job of a script inherits it
    os.environ.update(environment)
    _arm(point, lambda: writer.send(utc_now().timestamp()))
    main(arguments)


def _arm(point: Point, tell: Callable[[], None]) -> None:
    """Let the signal come at the point, and make all batches small."""
    archiving.BATCH = collecting.BATCH = expiring.BATCH = BATCH
    if point.method == "put_stream":
        saving_logs.ONE_PUT_LIMIT = 1  # each log is a long one
    port = PORTS[point.port]
    original = getattr(port, point.method)
    calls = 0
    lock = threading.Lock()

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        with lock:
            calls += 1
            is_now = calls == point.call
        if is_now and not point.after:
            tell()
            os.kill(os.getpid(), point.signal)
        result = original(*arguments, **options)
        if is_now and point.after:
            tell()
            os.kill(os.getpid(), point.signal)
        return result

    setattr(port, point.method, counted)
