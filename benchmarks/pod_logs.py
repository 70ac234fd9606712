"""Figure 5: logs of 1 KiB from pods into the bucket, against obstore that only puts the same objects."""

import hashlib
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import obstore
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
from benchmarks.opening import opened
from benchmarks.stage import Stage
from benchmarks.workflows import BUCKET, make_runs

ROUNDS = 3
IN_FLIGHT = 32
LOG = "".join(hashlib.sha256(str(i).encode()).hexdigest() for i in range(16))


def measure(stage: Stage) -> list[Figure]:
    """Ours asks for each pod, reads its log, puts it under Argo's key if that is free, and records all."""
    workflows = stage.size(300, 40)
    keys: list[str] = []

    def ours(number: int) -> Spent:
        with (
            stage.installation(
                lambda builder: make_runs(
                    builder, workflows, s3=stage.s3_address, log=LOG, prefix=f"round-{number}"
                ),
                with_pods=True,
            ) as installation,
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
            _put_all(stage, names)
        return spent

    speed, limit = rounds(stage.size(ROUNDS, 1), ours, alone)
    return [
        Figure(
            figure="logs of 1 KiB",
            unit="logs/s",
            ours=speed.rate,
            limit=limit.rate,
            cpu={"ours": speed, "limit": limit},
            bars=[Bar(of="limit", sign=">=", bound=0.8)],
            note=f"{len(keys)} logs; ours from the list to settled logs and proven rows; limit: obstore's "
            f"conditional puts of the same bodies and metadata, {IN_FLIGHT} in flight",
        )
    ]


def _put_all(stage: Stage, keys: Sequence[str]) -> None:
    store = S3Store(
        BUCKET,
        endpoint=stage.s3.endpoint,
        access_key_id=stage.s3.access_key,
        secret_access_key=stage.s3.secret_key,
        region=stage.s3.region,
        client_options={"allow_http": True},
    )
    body = LOG.encode()

    def put(key: str) -> None:
        # Every object of ours says whose it is, so do these.
        attributes = {
            METADATA_UID: str(uuid.uuid5(uuid.NAMESPACE_URL, key)),
            METADATA_NODE: key.split("/")[-2],
            METADATA_CONTAINER: "main",
            METADATA_SHA256: hashlib.sha256(body).hexdigest(),
        }
        obstore.put(store, key, body, attributes=attributes, mode="create")

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        for _ in pool.map(put, keys):
            pass
