"""One cluster behind wires, with Dagster's webserver and daemon as a real installation runs them."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import yaml

from argo_retention.demo.dagster_home import write_dagster_home
from argo_retention.demo.kube_api.process import write_kubeconfig
from argo_retention.demo.processes import free_ports
from argo_retention.demo.scenes.building import SceneBuilder
from argo_retention.demo.scenes.installation import NAMESPACE, install_argo
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Scene
from argo_retention.demo.servers import ARCHIVE_DATABASE, DAGSTER_BUCKET, DemoServers
from argo_retention.demo.services import service_commands, wait_until_ready
from argo_retention.sites import CONFIG_VARIABLE
from argo_retention_tests.wire.http_wire import HttpWire, kubernetes_refusal, s3_refusal
from argo_retention_tests.wire.tcp_wire import TcpWire

CLUSTER = "soak"
BUCKET = "soak-artifacts"
KEEP = 100
TTL = "3m"
UNDO = "4m"
#: A run whose worker is gone with its host is found failed after this; much longer in production.
LONGEST_RUN = 420


@dataclass(kw_only=True)
class Installation:
    """What runs, and what may be done to it."""

    servers: DemoServers
    scene: Scene
    api: HttpWire
    s3: HttpWire
    database: TcpWire
    environment: Mapping[str, str]
    webserver_port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def api_url(self) -> str:
        """The emulator itself, not by the wire."""
        return self.servers.clusters[CLUSTER].url

    @property
    def settings_path(self) -> Path:
        return Path(self.environment[CONFIG_VARIABLE])

    def start(self, name: str) -> None:
        """Start the webserver or the daemon."""
        command = service_commands(self.environment, port=self.webserver_port)[name]
        with (self.servers.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                env={**os.environ, **self.environment},
                cwd=self.servers.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """SIGKILL; what it started is left to itself."""
        self.processes[name].kill()
        self.processes[name].wait()

    def keep_services_running(self) -> None:
        """What a supervisor does: start again what has ended."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                self.start(name)

    def stop_services(self) -> None:
        """Politely; then whatever of them is left."""
        left = [each for name in self.processes for each in self.family(name)]
        for process in self.processes.values():
            process.terminate()
        psutil.wait_procs(left, timeout=20)
        for each in [*left, *self.run_workers(), *self.code_servers()]:
            with contextlib.suppress(psutil.Error):
                each.kill()

    def family(self, name: str) -> list[psutil.Process]:
        """The process and all that it started."""
        try:
            process = psutil.Process(self.processes[name].pid)
            return [process, *process.children(recursive=True)]
        except psutil.Error:
            return []

    def code_servers(self) -> list[psutil.Process]:
        """Of the webserver and of the daemon, also where those were killed."""
        return [each for each in self._ours() if "api grpc" in _line(each)]

    def run_workers(self) -> list[psutil.Process]:
        """Processes that a code server has started for runs."""
        return [
            each
            for each in self._ours()
            if "spawn_main" in _line(each) and "api grpc" in _line(_parent(each))
        ]

    def _ours(self) -> list[psutil.Process]:
        """By DAGSTER_HOME: no process of anybody else is touched."""
        home = self.environment["DAGSTER_HOME"]
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("DAGSTER_HOME") == home:
                    found.append(process)
        return found


def _parent(process: psutil.Process) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        return process.parent()
    return None


def _line(process: psutil.Process | None) -> str:
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline()) if process is not None else ""
    return ""


@contextlib.contextmanager
def installation(
    *, longest_run: int = LONGEST_RUN, keep: int = KEEP, ttl: str = TTL
) -> Iterator[Installation]:
    """Everything started, schedules and sensor too; all of it stopped at the end.

    `longest_run`: seconds after which Dagster takes a run for dead whose worker nobody watches any more;
    `keep`: how many of each phase stay in the cluster; `ttl`: of archive rows.
    """
    with DemoServers() as servers, contextlib.ExitStack() as stack:
        s3 = stack.enter_context(HttpWire(servers.s3.endpoint, refusal=s3_refusal))
        database = stack.enter_context(TcpWire(servers.postgres.port))
        scene = _scene(servers, s3_port=s3.port, database_port=database.port, keep=keep, ttl=ttl)
        servers.load([scene])
        cluster = servers.clusters[CLUSTER]
        api = stack.enter_context(HttpWire(cluster.url, refusal=kubernetes_refusal))
        write_kubeconfig(
            cluster.kubeconfig,
            url=f"http://127.0.0.1:{api.port}",
            token=scene.token,
            cluster=CLUSTER,
            namespace=NAMESPACE,
        )
        (port,) = free_ports(1)
        made = Installation(
            servers=servers,
            scene=scene,
            api=api,
            s3=s3,
            database=database,
            environment=_environment(servers, scene, longest_run),
            webserver_port=port,
        )
        stack.callback(made.stop_services)
        for name in ("webserver", "daemon"):
            made.start(name)
        wait_until_ready(f"http://127.0.0.1:{port}", list(made.processes.values()), servers.folder)
        for kind in ("schedule", "sensor"):
            _start_all(made, kind)
        yield made


def _scene(servers: DemoServers, *, s3_port: int, database_port: int, keep: int, ttl: str) -> Scene:
    address = servers.s3_address
    s3 = S3Address(
        endpoint=f"http://127.0.0.1:{s3_port}",
        access_key=address.access_key,
        secret_key=address.secret_key,
    )
    postgres = PostgresAddress(
        host="127.0.0.1",
        port=database_port,
        database=ARCHIVE_DATABASE,
        user=servers.postgres.user,
        password=servers.postgres.password,
    )
    stage = SceneBuilder(
        name=CLUSTER, clustername=CLUSTER, now=datetime.now(tz=UTC), buckets=[BUCKET]
    )
    install_argo(
        stage,
        retention_policy={"completed": keep, "failed": keep, "errored": keep},
        bucket=BUCKET,
        s3=s3,
        postgres=postgres,
    )
    settings: dict[str, Any] = {
        "argo": {"archiveTTL": ttl},
        "retention": {"mode": "apply", "proof_age": 0, "undo": UNDO},
        "brakes": {"max_share": 1, "max_deletions": 20_000, "per_second": 500},
        "schedules": {"retention": "* * * * *", "expiry": "*/2 * * * *"},
    }
    return stage.build(s3=address, settings=settings)


def _environment(servers: DemoServers, scene: Scene, longest_run: int) -> dict[str, str]:
    config = servers.folder / "retention.yaml"
    kubeconfig = str(servers.clusters[CLUSTER].kubeconfig)
    config.write_text(
        yaml.safe_dump({"clusters": {CLUSTER: {"kubeconfig": kubeconfig, **scene.settings}}})
    )
    home = servers.folder / "dagster-home"
    variables = write_dagster_home(
        home, dsn=servers.dagster_dsn, s3=servers.s3_address, bucket=DAGSTER_BUCKET
    )
    document = json.loads((home / "dagster.yaml").read_text())
    document["run_monitoring"] = {
        "enabled": True,
        "start_timeout_seconds": 60,
        "cancel_timeout_seconds": 30,
        "poll_interval_seconds": 10,
        "max_runtime_seconds": longest_run,
    }
    (home / "dagster.yaml").write_text(json.dumps(document, indent=2))
    temporary = servers.folder / "tmp"
    temporary.mkdir()
    return {**variables, CONFIG_VARIABLE: str(config), "TMPDIR": str(temporary)}


def _start_all(made: Installation, kind: str) -> None:
    """Every schedule, or every sensor."""
    workspace = str(Path(made.environment["DAGSTER_HOME"]) / "workspace.yaml")
    subprocess.run(
        [
            *(sys.executable, "-m", "dagster", kind, "start"),
            *("--start-all", "-w", workspace, "-l", "argo_retention"),
        ],
        env={**os.environ, **made.environment},
        check=True,
        capture_output=True,
        timeout=120,
    )
