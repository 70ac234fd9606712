"""The demo's two clusters before any run, under Dagster's own webserver and daemon."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import urllib3
import yaml

from argo_retention.demo.counting import count
from argo_retention.demo.dagster_home import write_dagster_home
from argo_retention.demo.scenes.fleet import fleet_scene
from argo_retention.demo.scenes.scene import Scene
from argo_retention.demo.scenes.seed import seed_scene
from argo_retention.demo.servers import DAGSTER_BUCKET, DemoServers
from argo_retention.demo.services import dagster_services
from argo_retention.sites import CONFIG_VARIABLE

SEED = "seed"
HELLO_WORLDS, KEEP = 10, 3


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a browser finds, and what lies behind it."""

    address: str
    servers: DemoServers
    scenes: Mapping[str, Scene]
    environment: Mapping[str, str]
    late: Mapping[str, Any]  # a workflow of the seed that has not come yet

    def finish_one_more(self) -> str:
        """One more workflow of the seed has finished; its name."""
        self._ask("/emulator/objects", self.late)
        return str(self.late["metadata"]["name"])

    def set_clock(self, seconds: int) -> None:
        """The seed's API server has another time than we."""
        self._ask("/emulator/clock", {"offset_seconds": seconds})

    def _ask(self, path: str, document: Mapping[str, Any]) -> None:
        cluster = self.servers.clusters[SEED]
        answer = urllib3.request(
            "POST",
            f"{cluster.url}{path}",
            json=document,
            headers={"Authorization": f"Bearer {cluster.admin_token}"},
        )
        assert answer.status == 200, answer.data

    def live(self, cluster: str) -> list[str]:
        """Names of the workflows in the cluster."""
        return sorted(self._counted(cluster).live.values())

    def rows(self, cluster: str) -> int:
        """How many rows the archive has of the cluster."""
        return len(self._counted(cluster).rows)

    def _counted(self, cluster: str):  # type: ignore[no-untyped-def]
        return count(
            self.servers.clusters[cluster],
            archive_dsn=self.servers.archive_dsn,
            clustername=self.scenes[cluster].clustername,
        )


@contextlib.contextmanager
def installation() -> Iterator[Installation]:
    """Everything started; schedules and sensors are off, as after an install."""
    with DemoServers() as servers:
        now = datetime.now(tz=UTC)
        where = {"s3": servers.s3_address, "postgres": servers.postgres_address}
        scenes = [
            fleet_scene(now=now, **where),
            seed_scene(now=now, hello_worlds=HELLO_WORLDS + 1, keep_count=KEEP, **where),
        ]
        scenes[1], late = without_newest(scenes[1])
        servers.load(scenes)
        environment = _environment(servers, scenes)
        with dagster_services(servers.folder, environment) as address:
            yield Installation(
                address=address,
                servers=servers,
                scenes={scene.name: scene for scene in scenes},
                environment=environment,
                late=late,
            )


def without_newest(scene: Scene) -> tuple[Scene, Mapping[str, Any]]:
    """The scene, and its newest workflow by itself; pods and logs of it stay."""
    newest = max(scene.workflows, key=lambda each: each["metadata"]["creationTimestamp"])
    return replace(scene, objects=[o for o in scene.objects if o is not newest]), newest


def _environment(servers: DemoServers, scenes: list[Scene]) -> dict[str, str]:
    clusters = {
        scene.name: {
            "kubeconfig": str(servers.clusters[scene.name].kubeconfig),
            "sensor": {"max_wait": "1s", "interval": "5s"},
            **scene.settings,
        }
        for scene in scenes
    }
    config = servers.folder / "retention.yaml"
    config.write_text(yaml.safe_dump({"clusters": clusters}, sort_keys=False))
    home = write_dagster_home(
        servers.folder / "dagster-home",
        dsn=servers.dagster_dsn,
        s3=servers.s3_address,
        bucket=DAGSTER_BUCKET,
    )
    return {**home, CONFIG_VARIABLE: str(config)}
