"""Figure 6: the most memory that a process takes that archives many workflows, against few."""

import json
import subprocess
import sys

from benchmarks.figures import Bar, Figure
from benchmarks.stage import Stage
from benchmarks.workflows import make_runs

MANY, FEW = 20_000, 2000


def measure(stage: Stage) -> list[Figure]:
    """A process of its own for each, so that the peak is its own."""
    many, few = stage.size(MANY, 1000), stage.size(FEW, 500)
    large, small = _peak_megabytes(stage, many), _peak_megabytes(stage, few)
    how = "peak resident memory of a process that lists, archives and proves them"
    return [
        Figure(
            figure=f"memory: {many} workflows against {few}",
            unit="MB",
            ours=large,
            limit=small,
            bars=[Bar(of="limit", sign="<=", bound=1.2)],
            note=f"{how}; limit: the same for {few}",
        ),
        Figure(
            figure=f"memory: archive of {many} workflows",
            unit="MB",
            ours=large,
            bars=[Bar(of="ours", sign="<=", bound=300)],
            note=how,
        ),
    ]


def _peak_megabytes(stage: Stage, count: int) -> float:
    with stage.installation(
        lambda builder: make_runs(builder, count, s3=stage.s3_address), logs={"save": "none"}
    ) as installation:
        child = subprocess.run(
            [sys.executable, "-m", "benchmarks.memory_child"],
            input=installation.settings_text,
            capture_output=True,
            text=True,
            check=False,
        )
    if child.returncode:
        raise AssertionError(f"the child failed: {child.stderr[-2000:]}")
    report = json.loads(child.stdout)
    if report["archived"] != count:
        raise AssertionError(f"{report['archived']} of {count} were archived")
    return report["peak_kib"] * 1024 / 1e6
