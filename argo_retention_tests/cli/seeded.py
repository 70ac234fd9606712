"""The seed on real servers of its own, with one workflow that is held for a hostile reason."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from argo_retention.core import labels
from argo_retention.core.ledger import LeaseGrant
from argo_retention.demo.kube_api.process import KubeApiProcess, write_kubeconfig
from argo_retention.demo.postgres_server import PostgresServer
from argo_retention.demo.s3_server import S3Server
from argo_retention.demo.scenes import seed
from argo_retention.demo.scenes.loading import write_state
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Scene
from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.leasing import held_lease
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import take_snapshot
from argo_retention.sites import load_settings, open_site

HOSTILE = "\x1b[31m[bold red]audit[/]\nFORGED: all is well \u202e"
FOUND, KEPT = 55, 2


class Installed:
    """The seed in an emulator of its own, one workflow of it held for a hostile reason."""

    def __init__(self, folder: Path, scene: Scene, api: KubeApiProcess) -> None:
        self.folder = folder
        self.kubeconfig = write_kubeconfig(
            folder / "kubeconfig", url=api.url, token=scene.token, cluster="seed"
        )
        names = sorted(
            (w["metadata"]["creationTimestamp"], w["metadata"]["name"]) for w in scene.workflows
        )
        self.oldest_first = [name for _, name in names]

    def config(self, **settings: Any) -> str:
        """Path of a settings file with these keys for the cluster `seed`."""
        path = self.folder / f"{uuid.uuid4().hex}.yaml"
        own = {
            "kubeconfig": str(self.kubeconfig),
            "retention": {"mode": "apply", "proof_age": 0},
            "storage": {"uri": f"file://{self.folder}/tables"},
            "brakes": {"max_share": 1.0},
            **settings,
        }
        path.write_text(yaml.safe_dump({"clusters": {"seed": own}}))
        return str(path)

    @contextmanager
    def running(self, run_id: str) -> Iterator[tuple[Site, LeaseGrant]]:
        """A run's site and lease."""
        settings = load_settings(Path(self.config()))
        with open_site(
            settings, "seed", run_id=run_id, root_run=run_id, by_whom="the test"
        ) as site:
            site.archive.migrate()
            with held_lease(
                site.archive,
                clustername=site.installation.clustername,
                instanceid="",
                root_run=run_id,
                host="here",
                is_finished=lambda _: True,
            ) as grant:
                yield site, grant


@contextmanager
def installation(
    folder: Path, postgres: PostgresServer, template: str, s3: S3Server
) -> Iterator[Installed]:
    """The seed in a database, a bucket and an emulator of its own; its second oldest is held."""
    name, bucket = f"argo_{uuid.uuid4().hex}", f"bucket-{uuid.uuid4().hex}"
    postgres.create_database(name, template=template)
    s3.create_bucket(bucket)
    scene = seed.seed_scene(
        now=datetime.now(UTC),
        hello_worlds=FOUND,
        keep_count=KEPT,
        s3=S3Address(endpoint=s3.endpoint, access_key=s3.access_key, secret_key=s3.secret_key),
        postgres=PostgresAddress(
            host=postgres.host,
            port=postgres.port,
            database=name,
            user=postgres.user,
            password=postgres.password,
        ),
    )
    objects = json.loads(json.dumps(list(scene.objects)).replace(seed.BUCKET, bucket))
    workflows = [found for found in objects if found["kind"] == "Workflow"]
    workflows.sort(key=lambda found: found["metadata"]["creationTimestamp"])
    workflows[1]["metadata"]["annotations"] = {labels.HOLD: HOSTILE}
    scene = replace(scene, objects=objects)
    write_state(folder / "state", scene)
    with KubeApiProcess() as api:
        yield Installed(folder, scene, api.start(folder / "state"))
    postgres.drop_database(name)


def archive(world: Installed) -> None:
    with world.running("run-archive") as (site, grant):
        take_snapshot(site, grant)
        archive_finished(site, grant)
