"""Figure 9: a tick of the sensor over an unchanged cluster: its time, and its bytes beside those of a full list."""

import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from statistics import median
from time import perf_counter
from urllib.parse import urlsplit

import dagster as dg
import msgspec

from argo_retention.core.settings import Settings
from argo_retention.defs.sensors import build_sensors
from argo_retention.demo.kube_api.process import write_kubeconfig
from argo_retention.sites import open_cluster
from benchmarks.figures import Bar, Figure
from benchmarks.opening import CLUSTER, Installation
from benchmarks.stage import Stage
from benchmarks.workflows import make_runs

TICKS = 15


def measure(stage: Stage) -> list[Figure]:
    """The first tick lists and asks for a run, which succeeds; the ticks after it find nothing new."""
    count = stage.size(20_000, 500)
    with (
        stage.installation(lambda b: make_runs(b, count, s3=stage.s3_address)) as installation,
        _counted(installation.url) as wire,
        tempfile.TemporaryDirectory() as folder,
        dg.DagsterInstance.local_temp(folder) as instance,
    ):
        settings = _through(wire, installation, Path(folder))
        [sensor] = build_sensors(settings)
        cursor = _after_the_first(sensor, instance)
        seconds, received = [], []
        for _ in range(TICKS):
            before, start = wire.received, perf_counter()
            result = sensor(dg.build_sensor_context(instance=instance, cursor=cursor))
            seconds.append(perf_counter() - start)
            received.append(wire.received - before)
            if not isinstance(result, dg.SensorResult) or "0 changes" not in str(
                result.skip_reason
            ):
                raise AssertionError(f"not an unchanged tick: {result}")
            cursor = result.cursor
        whole = _full_list(settings, wire)
    share = 100 * max(received) / whole
    return [
        Figure(
            figure=f"sensor tick over {count} unchanged workflows",
            unit="ms",
            ours=1000 * median(seconds),
            bars=[Bar(of="ours", sign="<=", bound=300)],
            note="the median of 15; the longest took"
            f" {1000 * max(seconds):.0f} ms; 150 of them are the silence that ends the watch",
        ),
        Figure(
            figure="bytes that such a tick receives",
            unit="KB",
            ours=max(received) / 1000,
            limit=whole / 1000,
            bars=[Bar(of="limit", sign="<=", bound=0.02)],
            note=f"counted at the socket; the limit is a full list, of which it is {share:.3f} %",
        ),
    ]


def _after_the_first(sensor: dg.SensorDefinition, instance: dg.DagsterInstance) -> str:
    first = sensor(dg.build_sensor_context(instance=instance, cursor=None))
    assert isinstance(first, dg.SensorResult)
    [request] = first.run_requests or ()

    @dg.job
    def archive() -> None: ...

    instance.create_run_for_job(
        archive,
        tags={"dagster/run_key": request.run_key or ""},
        status=dg.DagsterRunStatus.SUCCESS,
    )
    return first.cursor or ""


def _through(wire: "_Wire", installation: Installation, folder: Path) -> Settings:
    kubeconfig = write_kubeconfig(
        folder / "kubeconfig",
        url=f"http://127.0.0.1:{wire.port}",
        token=installation.token,
        cluster=CLUSTER,
    )
    settings = msgspec.json.decode(installation.settings_text)
    settings["clusters"][CLUSTER]["kubeconfig"] = str(kubeconfig)
    text = msgspec.json.encode(settings).decode()
    return replace(installation, settings_text=text).settings


def _full_list(settings: Settings, wire: "_Wire") -> int:
    before = wire.received
    api = open_cluster(settings.clusters[CLUSTER], CLUSTER)
    for _ in api.list_full(selector="", namespace=None):
        pass
    api.close()
    return wire.received - before


class _Wire:
    """Forwards connections to a server, and counts what the server sends."""

    def __init__(self, target: tuple[str, int]) -> None:
        self.received = 0
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for source, sink, counts in ((client, server, False), (server, client, True)):
                pump = threading.Thread(target=self._pump, args=(source, sink, counts), daemon=True)
                pump.start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        try:
            while piece := source.recv(1 << 16):
                if counts:
                    self.received += len(piece)
                sink.sendall(piece)
        except OSError:
            pass
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()


@contextmanager
def _counted(url: str) -> Iterator[_Wire]:
    parts = urlsplit(url)
    wire = _Wire((parts.hostname or "127.0.0.1", parts.port or 80))
    threading.Thread(target=wire.serve, daemon=True).start()
    yield wire
    wire.close()
