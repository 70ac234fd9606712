"""Figure 5: logs of 1 KiB from pods into the bucket, against obstore that only puts the same objects."""

import hashlib
import json
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import obstore
import urllib3
from obstore.store import S3Store

from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.log_tasks import (
    METADATA_CONTAINER,
    METADATA_NODE,
    METADATA_SHA256,
    METADATA_UID,
)
from argo_retention.operations.snapshotting import take_snapshot
from benchmarks.figures import Bar, Figure, Spent, clock, rounds
from benchmarks.opening import Installation, opened
from benchmarks.stage import Stage
from benchmarks.workflows import BUCKET, make_runs

ROUNDS = 3
IN_FLIGHT = 32
PODS = "/api/v1/pods"
LOG = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(16))


def measure(stage: Stage) -> list[Figure]:
    """Ours asks for each pod, reads its log, puts it under Argo's key if that is free, and records all.

    The bare side, which has no bar, reads and puts each log and does nothing else: what the two requests cost
    on this machine, whoever sends them.
    """
    workflows = stage.size(300, 40)
    keys: list[str] = []

    def ours(number: int) -> Spent:
        with (
            _installation(stage, workflows, prefix=f"round-{number}") as installation,
            opened(installation) as (site, grant),
        ):
            take_snapshot(site, grant)
            with clock(0) as spent:
                archived = archive_finished(site, grant)
        if archived.saved_logs < workflows or set(archived.logs) != {"stored"}:
            raise AssertionError(f"{archived.saved_logs} logs were saved: {archived.logs}")
        keys[:] = [f"alone/{number}/pod-{i}/main.log" for i in range(archived.saved_logs)]
        spent.count = archived.saved_logs
        return spent

    def alone(number: int) -> Spent:
        count = len(keys) or workflows * 10
        names = [f"alone/{number}/pod-{i}/main.log" for i in range(count)]
        with clock(count) as spent:
            _each(names, _putter(stage))
        return spent

    def bare(number: int) -> Spent:
        with (
            _installation(stage, workflows, prefix=f"bare-{number}") as installation,
            urllib3.PoolManager(maxsize=IN_FLIGHT) as pool,
        ):
            paths = _log_paths(pool, installation)
            put = _putter(stage)
            headers = {"Authorization": f"Bearer {installation.token}"}

            def read_and_put(path: str) -> None:
                answer = pool.request("GET", f"{installation.url}{path}", headers=headers)
                if answer.status != 200:
                    raise AssertionError(f"{path}: {answer.status}")
                put(f"bare/{number}{path}", answer.data)

            with clock(len(paths)) as spent:
                _each(paths, read_and_put)
        return spent

    speed, limit, least = rounds(stage.size(ROUNDS, 1), ours, alone, bare)
    return [
        Figure(
            figure="logs of 1 KiB",
            unit="logs/s",
            ours=speed.rate,
            limit=limit.rate,
            cpu={"ours": speed, "limit": limit, "bare": least},
            bars=[Bar(of="limit", sign=">=", bound=0.8)],
            note=f"{len(keys)} logs; ours from the list to settled logs and proven rows; limit: obstore's "
            f"conditional puts of the same bodies and metadata, {IN_FLIGHT} in flight; bare: each log read by "
            f"urllib3, put by obstore, nothing else: {least.rate:.0f} a second, {least.rate / limit.rate:.2f} of "
            "the limit",
        )
    ]


def _installation(
    stage: Stage, workflows: int, *, prefix: str
) -> AbstractContextManager[Installation]:
    return stage.installation(
        lambda builder: make_runs(builder, workflows, s3=stage.s3_address, log=LOG, prefix=prefix),
        with_pods=True,
    )


def _log_paths(pool: urllib3.PoolManager, installation: Installation) -> list[str]:
    headers = {"Authorization": f"Bearer {installation.token}"}
    answer = pool.request("GET", f"{installation.url}{PODS}", headers=headers)
    return [
        f"/api/v1/namespaces/{item['metadata']['namespace']}/pods/{item['metadata']['name']}/log"
        f"?container={container['name']}"
        for item in json.loads(answer.data)["items"]
        for container in item["spec"]["containers"]
        if container["name"] != "wait"
    ]


def _putter(stage: Stage) -> Callable[..., None]:
    store = S3Store(
        BUCKET,
        endpoint=stage.s3.endpoint,
        access_key_id=stage.s3.access_key,
        secret_access_key=stage.s3.secret_key,
        region=stage.s3.region,
        client_options={"allow_http": True},
    )

    def put(key: str, body: bytes = LOG.encode()) -> None:
        # Every object of ours says whose it is, so do these.
        attributes = {
            METADATA_UID: str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
            METADATA_NODE: key.split("/")[-2],
            METADATA_CONTAINER: "main",
            METADATA_SHA256: hashlib.sha256(body).hexdigest(),
        }
        obstore.put(store, key, body, attributes=attributes, mode="create")

    return put


def _each(names: Sequence[str], work: Callable[[str], None]) -> None:
    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for _ in pool.map(work, names):
            pass
