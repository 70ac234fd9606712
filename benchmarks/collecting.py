"""Figure 3: deletions from the cluster, against a client that knows nothing but DELETE."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import urllib3

from argo_retention.operations.archiving import archive_finished
from argo_retention.operations.collecting import collect
from argo_retention.operations.planning import make_plan
from argo_retention.operations.snapshotting import take_snapshot
from benchmarks.figures import Bar, Figure, Spent, clock, rounds
from benchmarks.opening import Installation, opened
from benchmarks.stage import Stage
from benchmarks.workflows import one_pod_runs

ROUNDS = 3
IN_FLIGHT = 32
WORKFLOWS = "/apis/argoproj.io/v1alpha1/workflows"
KEEP_NONE = {"retentionPolicy": {"completed": 0, "failed": 0, "errored": 0}}


def measure(stage: Stage) -> list[Figure]:
    """Both delete the same workflows from an emulated API of their own."""
    count = stage.size(5000, 300)

    def installation(**retention: object) -> AbstractContextManager[Installation]:
        return stage.installation(
            lambda builder: one_pod_runs(builder, count, s3=stage.s3_address, log=""),
            argo=KEEP_NONE,
            logs={"save": "none"},
            retention={"mode": "apply", "proof_age": 0, **retention},
        )

    def collected_from(context: AbstractContextManager[Installation]) -> Spent:
        with context as found, opened(found) as (site, grant):
            take_snapshot(site, grant)
            archive_finished(site, grant)
            make_plan(site, grant)
            with clock(count) as spent:
                collected = collect(site, grant)
            if collected.deleted != count:
                raise AssertionError(f"not all {count} were deleted: {collected.outcomes}")
        return spent

    def ours(_: int) -> Spent:
        return collected_from(installation(undo=0))

    def kept(_: int) -> Spent:
        return collected_from(installation())

    def bare(_: int) -> Spent:
        with installation() as found:
            return _delete_all(found, count)

    speed, kept_speed, limit = rounds(stage.size(ROUNDS, 1), ours, kept, bare)
    return [
        Figure(
            figure="collect",
            unit="deletions/s",
            ours=speed.rate,
            limit=limit.rate,
            cpu={"ours": speed, "limit": limit},
            bars=[Bar(of="limit", sign=">=", bound=0.9)],
            note=f"{count} workflows; ours with list, second plan, locks, ledger, audit, without undo; "
            f"limit: urllib3 with {IN_FLIGHT} in flight",
        ),
        Figure(
            figure="collect, rows kept for undo",
            unit="deletions/s",
            ours=kept_speed.rate,
            limit=limit.rate,
            cpu={"ours": kept_speed},
            bars=[],
            note="the same with retention.undo as it is by default: each row is read, compressed and put "
            "into the bucket before its workflow goes",
        ),
    ]


def _delete_all(installation: Installation, count: int) -> Spent:
    """What is spent on the DELETE requests alone."""
    headers = {"Authorization": f"Bearer {installation.token}"}
    with urllib3.PoolManager(maxsize=IN_FLIGHT) as manager:
        pool = manager.connection_from_url(installation.url)
        items = pool.request("GET", WORKFLOWS, headers=headers).json()["items"]

        def delete(metadata: dict[str, str]) -> int:
            path = WORKFLOWS.replace("/workflows", f"/namespaces/{metadata['namespace']}/workflows")
            preconditions = {key: metadata[key] for key in ("uid", "resourceVersion")}
            options = {"propagationPolicy": "Background", "preconditions": preconditions}
            answer = pool.request(
                "DELETE",
                f"{path}/{metadata['name']}",
                body=json.dumps(options),
                headers={**headers, "Content-Type": "application/json"},
            )
            return answer.status

        with ThreadPoolExecutor(IN_FLIGHT) as threads, clock(count) as spent:
            statuses = list(threads.map(delete, [item["metadata"] for item in items]))
    if statuses != [200] * count:
        raise AssertionError(f"not all {count} were deleted: {set(statuses)}")
    return spent
