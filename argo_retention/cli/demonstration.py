"""What `demo` does: start the servers, run the jobs on both clusters, count, and say what to try next."""

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

import yaml
from rich.console import Console

from argo_retention.cli.demo_tables import (
    print_counted,
    print_next_steps,
    print_stage,
    refused_reasons,
)
from argo_retention.cli.executing import RunOutcome, dagster_instance, run_job
from argo_retention.cli.rendering import print_json, safe
from argo_retention.cli.terminal import StageProgress, own_console
from argo_retention.core.settings import Settings
from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.jobs import ARCHIVE_JOB, EXPIRY_JOB, RETENTION_JOB
from argo_retention.demo.counting import Change, Counted, change, count
from argo_retention.demo.dagster_home import write_dagster_home
from argo_retention.demo.faults import break_api, mend_api
from argo_retention.demo.scenes.fleet import fleet_scene
from argo_retention.demo.scenes.scene import Scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention.demo.servers import DAGSTER_BUCKET, DemoServers
from argo_retention.demo.services import dagster_services
from argo_retention.demo.switch import Switch
from argo_retention.sites import CONFIG_VARIABLE

STAGES = (("archive", ARCHIVE_JOB), ("retention", RETENTION_JOB), ("expiry", EXPIRY_JOB))
HELLO_WORLD = "hello-world"


@dataclass(kw_only=True)
class Demonstration:
    """One demo, with the options of the command."""

    hello_worlds: int
    keep_count: int
    broken: str | None
    keep: bool
    ui: bool
    as_json: bool

    def run(self) -> int:
        """Everything, in order; 0 when all runs succeeded, else 1."""
        console = own_console(stderr=self.as_json)
        console.print("Starting PostgreSQL, S3 and two emulated Kubernetes APIs ...")
        with DemoServers() as servers, ExitStack() as stack:
            doors = _Doors(self.broken, servers, stack)
            console.print(
                "Loading the clusters fleet (several teams, and traps on purpose) and seed ..."
            )
            scenes = self._scenes(servers, doors)
            servers.load(scenes)
            environment = self._environment(servers, scenes)
            stack.enter_context(_environment_set(environment))
            before = self._count(servers, scenes)
            outcomes = self._run_jobs(servers, scenes, console, doors)
            doors.mend(servers)
            after = self._count(servers, scenes)
            failed = any(not outcome.success for outcome in outcomes)
            self._report(console, outcomes, before, after)
            if self.keep:
                self._wait(console, servers, environment)
        return 1 if failed else 0

    # -- the scene ----------------------------------------------------------------------------------------

    def _scenes(self, servers: DemoServers, doors: "_Doors") -> list[Scene]:
        now = datetime.now(tz=UTC)
        s3, postgres = servers.s3_address, servers.postgres_address
        if doors.s3_port:
            s3 = replace(s3, endpoint=f"http://127.0.0.1:{doors.s3_port}")
        if doors.db_port:
            postgres = replace(postgres, port=doors.db_port)
        seed = seed_scene(
            now=now,
            hello_worlds=self.hello_worlds,
            keep_count=self.keep_count,
            s3=s3,
            postgres=postgres,
        )
        return [fleet_scene(now=now, s3=s3, postgres=postgres), seed]

    def _environment(self, servers: DemoServers, scenes: list[Scene]) -> dict[str, str]:
        """Write retention.yaml and DAGSTER_HOME as a real installation has them."""
        clusters = {
            scene.name: {
                "kubeconfig": str(servers.clusters[scene.name].kubeconfig),
                **scene.settings,
            }
            for scene in scenes
        }
        config = servers.folder / "retention.yaml"
        text = yaml.safe_dump({"clusters": clusters}, sort_keys=False, allow_unicode=True)
        config.write_text(text, encoding="utf-8")
        home = write_dagster_home(
            servers.folder / "dagster-home",
            dsn=servers.dagster_dsn,
            s3=servers.s3_address,
            bucket=DAGSTER_BUCKET,
        )
        return {**home, CONFIG_VARIABLE: str(config)}

    # -- the jobs -----------------------------------------------------------------------------------------

    def _run_jobs(
        self, servers: DemoServers, scenes: list[Scene], console: Console, doors: "_Doors"
    ) -> list[RunOutcome]:
        config = servers.folder / "retention.yaml"
        settings = parse_settings(config.read_text(encoding="utf-8"), source=str(config))
        outcomes: list[RunOutcome] = []
        console.print("Running the jobs on Dagster (storage in PostgreSQL, compute logs in S3) ...")
        console.print()
        with dagster_instance() as instance:
            for stage, job in STAGES:
                of_stage = [
                    self._run_one(settings, job, scene.name, instance, console, doors, servers)
                    for scene in scenes
                ]
                print_stage(console, stage, of_stage)
                outcomes += of_stage
        return outcomes

    def _run_one(
        self,
        settings: Settings,
        job: str,
        cluster: str,
        instance: Any,
        console: Console,
        doors: "_Doors",
        servers: DemoServers,
    ) -> RunOutcome:
        with StageProgress(console, cluster).shown() as shown:

            def progress(stage: str, done: int, total: int | None) -> None:
                shown(stage, done, total)
                if stage == "snapshot" and done == total:
                    doors.shut(servers)

            return run_job(
                settings,
                job=job,
                cluster=cluster,
                instance=instance,
                progress=progress,
                by_whom="argo-retention demo",
            )

    # -- the end ------------------------------------------------------------------------------------------

    def _count(self, servers: DemoServers, scenes: list[Scene]) -> dict[str, Counted]:
        return {
            scene.name: count(
                servers.clusters[scene.name],
                archive_dsn=servers.archive_dsn,
                clustername=scene.clustername,
            )
            for scene in scenes
        }

    def _report(
        self,
        console: Console,
        outcomes: list[RunOutcome],
        before: Mapping[str, Counted],
        after: Mapping[str, Counted],
    ) -> None:
        fleet = change(before["fleet"], after["fleet"])
        seed = change(before["seed"], after["seed"], name_prefix=HELLO_WORLD)
        refused = refused_reasons(outcomes, "fleet")
        if self.as_json:
            print_json(
                {
                    "clusters": {"fleet": {**asdict(fleet), "refused": refused}},
                    HELLO_WORLD: asdict(seed),
                    "runs": [asdict(outcome) for outcome in outcomes],
                }
            )
            return
        if not self.keep:
            print_next_steps(console)
        print_counted(console)
        reasons = ", ".join(f"{reason}: {number}" for reason, number in refused.items())
        total = sum(refused.values())
        console.print(
            safe(
                f"fleet: {_numbers(fleet)}, {total} refused" + (f" ({reasons})" if reasons else "")
            ),
            soft_wrap=True,
        )
        console.print(safe(f"{HELLO_WORLD}: {_numbers(seed)}"), soft_wrap=True)

    def _wait(self, console: Console, servers: DemoServers, environment: Mapping[str, str]) -> None:
        """Say how to connect, and keep everything running until Ctrl-C."""
        with ExitStack() as stack:
            address = ""
            if self.ui:
                address = stack.enter_context(dagster_services(servers.folder, environment))
            _print_connections(console, servers, environment, address)
            try:
                threading.Event().wait()
            except KeyboardInterrupt:
                console.print("Stopping ...")


def _numbers(counted: Change) -> str:
    return (
        f"{counted.finished} finished, {counted.archived} archived, "
        f"{counted.kept} kept, {counted.deleted} deleted"
    )


def _print_connections(
    console: Console, servers: DemoServers, environment: Mapping[str, str], address: str
) -> None:
    lines = ["", "Everything keeps running; Ctrl-C stops it and removes it."]
    if address:
        lines.append(f"Dagster    {address}")
    lines += [
        f"{cluster.name:<10} kubectl --kubeconfig {cluster.admin_kubeconfig} get workflows -A"
        for cluster in servers.clusters.values()
    ]
    s3 = servers.s3
    keys = f"AWS_ACCESS_KEY_ID={s3.access_key} AWS_SECRET_ACCESS_KEY={s3.secret_key}"
    lines += [
        f"PostgreSQL psql '{servers.archive_dsn}'",
        f"S3         {keys} aws --endpoint-url {s3.endpoint} s3 ls --recursive s3://my-bucket",
        "argo-retention and Dagster, in another terminal, after:",
        *(f"  export {name}='{value}'" for name, value in environment.items()),
    ]
    for line in lines:
        console.print(safe(line), soft_wrap=True)


class _Doors:
    """What `--break` breaks, and how."""

    def __init__(self, broken: str | None, servers: DemoServers, stack: ExitStack) -> None:
        self._broken = broken
        self._switch: Switch | None = None
        self._is_shut = False
        if broken == "s3":
            port = int(servers.s3.endpoint.rsplit(":", 1)[1])
            self._switch = stack.enter_context(Switch(port))
        elif broken == "db":
            self._switch = stack.enter_context(Switch(servers.postgres.port))

    @property
    def s3_port(self) -> int:
        return self._switch.port if self._switch is not None and self._broken == "s3" else 0

    @property
    def db_port(self) -> int:
        return self._switch.port if self._switch is not None and self._broken == "db" else 0

    def shut(self, servers: DemoServers) -> None:
        """From the first snapshot on."""
        if self._broken is None or self._is_shut:
            return
        self._is_shut = True
        if self._switch is not None:
            self._switch.shut()
        else:
            for cluster in servers.clusters.values():
                break_api(cluster)

    def mend(self, servers: DemoServers) -> None:
        """So that it can be counted what is there."""
        if self._broken == "api":
            for cluster in servers.clusters.values():
                mend_api(cluster)


@contextmanager
def _environment_set(values: Mapping[str, str]) -> Iterator[None]:
    """Dagster reads its home and keys from the environment of this process."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
