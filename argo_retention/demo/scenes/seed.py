"""The scene `seed`: an Argo installation out of the box with finished hello-world workflows."""

import random
from datetime import datetime, timedelta
from importlib import resources

from argo_retention.demo.scenes.building import SceneBuilder
from argo_retention.demo.scenes.installation import NAMESPACE, install_argo, s3_repository
from argo_retention.demo.scenes.scene import PostgresAddress, S3Address, Scene
from argo_retention.demo.scenes.tasks import Task
from argo_retention.demo.scenes.workflows import Maker

NAME = "seed"
BUCKET = "seed-artifacts"
#: Both clusters share one archive database; the other one has Argo's default, `default`.
CLUSTER_NAME = "seed"
#: Kubernetes makes the ends of generated names of these.
_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


def seed_scene(
    *,
    now: datetime,
    hello_worlds: int = 10,
    keep_count: int = 3,
    s3: S3Address,
    postgres: PostgresAddress,
) -> Scene:
    """Finished `hello-world-xxxxx` workflows, their pods still there; no row and no log object yet."""
    now = now.replace(microsecond=0)
    stage = SceneBuilder(name=NAME, clustername=CLUSTER_NAME, now=now, buckets=[BUCKET])
    install_argo(
        stage,
        retention_policy={"completed": keep_count, "failed": 3, "errored": 3},
        bucket=BUCKET,
        s3=s3,
        postgres=postgres,
    )
    whale = resources.files("argo_retention.demo.scenes").joinpath("whale.txt").read_text("utf-8")
    maker = Maker(stage=stage, repository={"archiveLogs": True, "s3": s3_repository(s3, BUCKET)})
    for name, created in zip(_names(hello_worlds), _spread(now, hello_worlds), strict=True):
        run = maker.make(
            namespace=NAMESPACE,
            name=name,
            created=created,
            tasks=[
                Task(
                    name=name,
                    template="whalesay",
                    image="docker/whalesay:latest",
                    command=("cowsay",),
                    args=("hello world",),
                    seconds=8,
                    log=whale,
                )
            ],
            generate_name="hello-world-",
        )
        stage.put_live(run)
    return stage.build(s3=s3, settings={"retention": {"mode": "apply", "proof_age": 0}})


def _names(count: int) -> list[str]:
    chance = random.Random("hello-world")
    found: dict[str, None] = {}
    while len(found) < count:
        found["hello-world-" + "".join(chance.choices(_SUFFIX_LETTERS, k=5))] = None
    return list(found)


def _spread(now: datetime, count: int) -> list[datetime]:
    """Creation times over the last day, the last an hour ago."""
    step = timedelta(hours=22) / max(count, 1)
    return [now - timedelta(hours=1) - step * (count - 1 - index) for index in range(count)]
