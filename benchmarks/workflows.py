"""Workflows of 15 to 20 KB, the same every time: a DAG of eleven tasks with parameters, some with retries."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from argo_retention.demo.scenes.building import Run, SceneBuilder
from argo_retention.demo.scenes.installation import NAMESPACE, s3_repository
from argo_retention.demo.scenes.scene import S3Address
from argo_retention.demo.scenes.tasks import Task
from argo_retention.demo.scenes.workflows import Maker, Shape

BUCKET = "bench-artifacts"
SIZES = range(15_000, 20_001)
START = datetime(2026, 1, 5, tzinfo=UTC)
_STAGES = (
    "checkout",
    "build",
    "lint",
    "unit",
    "types",
    "image",
    "scan",
    "chart",
    "smoke",
    "publish",
    "notify",
)


def make_runs(
    stage: SceneBuilder,
    count: int,
    *,
    s3: S3Address,
    log: str = "",
    named_logs: bool = False,
    prefix: str = "pipeline",
) -> Iterator[Run]:
    """Finished workflows; `named_logs` puts the `main-logs` artifacts of Argo's executor into their nodes."""
    maker = Maker(stage=stage, repository={"archiveLogs": True, "s3": s3_repository(s3, BUCKET)})
    for index in range(count):
        run = maker.make(
            namespace=NAMESPACE,
            name=f"{prefix}-{index:06d}",
            generate_name=f"{prefix}-",
            created=START + timedelta(seconds=37 * index),
            tasks=_tasks(index, log),
            shape=Shape.DAG,
            labels={
                "workflows.argoproj.io/workflow-template": f"pipeline-{index % 40}",
                "team": f"team-{index % 9}",
            },
            spec=_spec(index),
        )
        for place, pod in enumerate(run.logs):
            run.nodes[pod.node_id]["inputs"] = _inputs(index, place)
        if named_logs:
            run.name_logs()
        yield run


def one_pod_runs(stage: SceneBuilder, count: int, *, s3: S3Address, log: str) -> Iterator[Run]:
    """Finished workflows of one pod with a log that nobody stored."""
    maker = Maker(stage=stage, repository={"archiveLogs": True, "s3": s3_repository(s3, BUCKET)})
    for index in range(count):
        yield maker.make(
            namespace=NAMESPACE,
            name=f"single-{index:06d}",
            created=START + timedelta(seconds=37 * index),
            tasks=[Task(name="main", template="main", args=("make",), log=log)],
        )


def body_of(run: Run) -> bytes:
    """JSON as the API server sends it, of the size that is promised."""
    body = json.dumps(run.workflow, separators=(",", ":"), ensure_ascii=False).encode()
    if len(body) not in SIZES:
        raise ValueError(f"a workflow of {len(body)} bytes; the figures are of 15 to 20 KB")
    return body


def _tasks(index: int, log: str) -> list[Task]:
    return [
        Task(
            name=name,
            template=name,
            image=f"registry.example.com/ci/{name}:{index % 31}.{index % 7}",
            args=(f"set -euo pipefail; cd /src && make {name} REVISION={_hex(index, place)}",),
            env={
                "REVISION": _hex(index, place),
                "TARGET": "{{workflow.parameters.target}}",
                "CACHE": f"s3://ci-cache/{name}/{index % 101}",
            },
            seconds=5 + (index * 7 + place * 13) % 90,
            failed_attempts=1 if (index + place) % 23 == 0 else 0,
            log=log,
        )
        for place, name in enumerate(_STAGES)
    ]


def _inputs(index: int, place: int) -> dict[str, object]:
    values = {"revision": _hex(index, place), "target": f"cluster-{index % 13}"}
    return {"parameters": [{"name": key, "value": value} for key, value in values.items()]}


def _spec(index: int) -> dict[str, object]:
    parameters = {
        "target": f"cluster-{index % 13}",
        "revision": _hex(index, 99),
        "message": f'Build {index}: size \u00e9t\u00e9 \u65e5\u672c "quoted"',
    }
    return {
        "arguments": {"parameters": [{"name": k, "value": v} for k, v in parameters.items()]},
        "ttlStrategy": {"secondsAfterCompletion": 86400},
        "podGC": {"strategy": "OnWorkflowSuccess"},
        "serviceAccountName": "pipeline",
    }


def _hex(index: int, place: int) -> str:
    """Like a git revision: does not compress well."""
    return f"{(index * 1_000_003 + place * 7919) * 0x9E3779B97F4A7C15 % (1 << 160):040x}"
