"""Figure 10: four clusters as four processes on one machine, each with its lease, beside one after the other."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg

from argo_retention.sites import CONFIG_VARIABLE
from benchmarks.figures import Bar, Figure
from benchmarks.opening import CLUSTER, Installation
from benchmarks.stage import Stage
from benchmarks.workflows import make_runs

CLUSTERS = 4
COMMAND = [sys.executable, "-m", "argo_retention.cli", "run", "archive", "--json", "--cluster"]
HELD = "SELECT root_run FROM argo_retention.leases WHERE root_run <> ''"


def measure(stage: Stage) -> list[Figure]:
    """Archive runs of `argo-retention run`, from start to end of the process, in two rounds on new installations."""
    count = stage.size(1000, 50)
    alone, _ = _round(stage, count, at_once=1)
    seconds, together = _round(stage, count, at_once=CLUSTERS)
    return [
        Figure(
            figure=f"{CLUSTERS} clusters as {CLUSTERS} processes",
            unit="clusters/s",
            ours=CLUSTERS / seconds,
            limit=CLUSTERS / alone,
            bars=[Bar(of="limit", sign=">=", bound=1)],
            note=(
                f"{count} workflows each, none archived yet; start and end of Python and Dagster included; limit: one "
                f"after the other; {together} leases were held at the same moment, each by the run of its own cluster"
            ),
        )
    ]


def _round(stage: Stage, count: int, *, at_once: int) -> tuple[float, int]:
    """(seconds for all clusters, how many leases were seen held at the same moment)."""
    with ExitStack() as stack:
        made = [
            stack.enter_context(
                stage.installation(
                    lambda builder: make_runs(builder, count, s3=stage.s3_address),
                    logs={"save": "none"},
                )
            )
            for _ in range(CLUSTERS)
        ]
        home = stage.folder / f"dagster-home-{at_once}"
        environment = _dagster(stage, stack, home, made)
        begun = time.perf_counter()
        running: list[subprocess.Popen[str]] = []
        most, ended = 0, 0
        while ended < CLUSTERS:
            while len(running) < CLUSTERS and len(running) - ended < at_once:
                name = f"c{len(running)}"
                running.append(
                    subprocess.Popen(
                        [*COMMAND, name],
                        env=environment,
                        stdout=subprocess.PIPE,
                        stderr=subprocess.DEVNULL,
                        text=True,
                    )
                )
            ended = sum(1 for each in running if each.poll() is not None)
            most = max(most, _held(made))
            time.sleep(0.05)
        seconds = time.perf_counter() - begun
        for process in running:
            text, _ = process.communicate()
            if process.returncode:
                raise AssertionError(f"a run ended with {process.returncode}: {text}")
        for each in made:
            with psycopg.connect(each.dsn) as connection:
                found = connection.execute("SELECT count(*) FROM argo_archived_workflows")
                assert found.fetchone() == (count,)
    return seconds, most


def _held(made: Sequence[Installation]) -> int:
    """Leases that are held now; each must be that of one run."""
    runs: list[str] = []
    for each in made:
        with psycopg.connect(each.dsn) as connection:
            if connection.execute("SELECT to_regclass('argo_retention.leases')").fetchone() == (
                None,
            ):
                continue
            runs += [run for (run,) in connection.execute(HELD)]
    assert len(set(runs)) == len(runs), "one run holds the leases of two clusters"
    return len(runs)


def _dagster(
    stage: Stage, stack: ExitStack, home: Path, made: Sequence[Installation]
) -> dict[str, str]:
    """One Dagster instance, with its storage in PostgreSQL, for all processes."""
    home.mkdir()
    dsn = stack.enter_context(stage.database())
    (home / "dagster.yaml").write_text(
        json.dumps(
            {"storage": {"postgres": {"postgres_url": dsn}}, "telemetry": {"enabled": False}}
        )
    )
    clusters = {
        f"c{number}": json.loads(each.settings_text)["clusters"][CLUSTER]
        for number, each in enumerate(made)
    }
    settings = home / "retention.yaml"
    settings.write_text(json.dumps({"clusters": clusters}))
    return {**os.environ, "DAGSTER_HOME": str(home), CONFIG_VARIABLE: str(settings)}
