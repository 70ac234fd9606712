"""Workflows that finish in the emulated cluster at a steady rate, and what was made, for the oracle."""

import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import urllib3

from argo_retention.demo.scenes.building import SceneBuilder
from argo_retention.demo.scenes.installation import NAMESPACE, s3_repository
from argo_retention.demo.scenes.scene import S3Address
from argo_retention.demo.scenes.tasks import Task
from argo_retention.demo.scenes.workflows import Maker

POSTS_AT_ONCE = 8
SECONDS = 8
PHASES = ("Succeeded", "Succeeded", "Succeeded", "Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Made:
    """One workflow that finished, and the log that its pod still has."""

    uid: str
    name: str
    phase: str
    node_id: str
    log: str


def make_finished(
    name: str, *, repository: Any, phase: str, log: str, age: timedelta = timedelta()
) -> tuple[Made, Sequence[Any], Any]:
    """A workflow of one pod that finished so long ago; its objects, the pod first, and its pod's log."""
    now = datetime.now(tz=UTC)
    stage = SceneBuilder(name="made", clustername="made", now=now)
    run = Maker(stage=stage, repository=repository).make(
        namespace=NAMESPACE,
        name=name,
        created=now - timedelta(seconds=SECONDS + 1) - age,
        tasks=[Task(name=name, template="main", log=log, seconds=SECONDS, phase=phase)],
    )
    stage.put_live(run)
    [pod_log] = stage.pod_logs
    for each in stage.objects:
        del each["metadata"]["resourceVersion"]  # the server gives its own
    made = Made(run.uid, name, phase, run.logs[0].node_id, log)
    return made, list(reversed(stage.objects)), pod_log


class Traffic:
    """A thread that makes `rate` finished workflows a second until it is stopped."""

    def __init__(self, *, url: str, token: str, rate: float, s3: S3Address, bucket: str) -> None:
        self._url = url
        self._rate = rate
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(maxsize=POSTS_AT_ONCE, retries=False)
        self._repository = {"archiveLogs": True, "s3": s3_repository(s3, bucket)}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="traffic", daemon=True)
        self.made: dict[str, Made] = {}
        self.late = 0.0  # the longest that a workflow came after its time

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        chance = random.Random("soak")
        begun = time.monotonic()
        with ThreadPoolExecutor(POSTS_AT_ONCE) as posts:
            number = 0
            while not self._stop.is_set():
                due = int((time.monotonic() - begun) * self._rate)
                batch = []
                for _ in range(number, due):
                    number += 1
                    batch.append(self._make(number, chance))
                for made in posts.map(self._post, batch):
                    self.made[made.uid] = made
                self.late = max(self.late, time.monotonic() - begun - number / self._rate)
                self._stop.wait(0.1)

    def _make(self, number: int, chance: random.Random) -> tuple[Made, Sequence[Any], Any]:
        name = f"soak-{number:06d}"
        return make_finished(
            name,
            repository=self._repository,
            phase=chance.choice(PHASES),
            log=f"line of {name}\n" * chance.randint(1, 40),
        )

    def _post(self, given: tuple[Made, Sequence[Any], Any]) -> Made:
        made, objects, log = given
        self._send("pod_logs", log)
        for each in objects:  # the pod first: a workflow that is seen has its pod
            self._send("objects", each)
        return made

    def _send(self, call: str, document: Any) -> None:
        body = msgspec.json.encode(document)
        answer = self._pool.request(
            "POST", f"{self._url}/emulator/{call}", body=body, headers=self._headers
        )
        if answer.status != 200:
            raise RuntimeError(f"the emulator answered {answer.status}: {answer.data[:300]!r}")
