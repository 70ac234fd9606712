"""What `deploy/dagster.yaml` gives a Dagster instance and code cannot set, looked for in a real one."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import TickStatus

from argo_retention.defs.keys import CLUSTER_TAG
from argo_retention.operations.doctoring.findings import Finding, Findings

HERE = "deploy/dagster.yaml has it."
FOR_EVER = -1


def examine_instance(findings: Findings, instance: dg.DagsterInstance) -> Iterator[Finding]:
    """Warnings alone: whatever an instance does, the lease and the proofs hold."""
    if "Sqlite" in type(instance.run_storage).__name__:
        yield findings.ok(
            "Dagster's instance",
            f"one of its own in {instance.root_directory} (SQLite): for `argo-retention run` in this process",
        )
        return
    yield findings.ok("Dagster's instance", f"{type(instance.run_storage).__name__} answers")
    if _limits_runs(instance):
        yield findings.ok("one run a cluster", f"the queue has a limit for the tag {CLUSTER_TAG}")
    else:
        yield findings.warning(
            "one run a cluster",
            f"the queue has no limit of 1 for each value of the tag {CLUSTER_TAG}, so a run may start "
            f"only to find that another has the lease. {HERE}",
        )
    if instance.run_monitoring_enabled:
        yield findings.ok(
            "watched runs",
            "run monitoring is on; it marks what `argo-retention run` does in a process of its own as "
            "failed: use --submit here, or a DAGSTER_HOME of its own",
        )
    else:
        yield findings.warning(
            "watched runs",
            f"run monitoring is off: a run whose process died stays in the queue's way. {HERE}",
        )
    catchup = getattr(instance.scheduler, "max_catchup_runs", None)
    if catchup is not None and catchup > 1:
        yield findings.warning(
            "missed ticks",
            f"a daemon that was away runs each schedule up to {catchup} times to catch up; once is "
            f"enough. {HERE}",
        )
    elif catchup is not None:  # of another scheduler nothing is known
        yield findings.ok("missed ticks", "are caught up once")
    if instance.get_sensor_settings().get("use_threads"):
        yield findings.ok("sensors", "tick side by side")
    else:
        yield findings.warning(
            "sensors",
            f"tick one after the other: a cluster that does not answer makes all others wait. {HERE}",
        )
    kept = instance.get_tick_retention_settings(InstigatorType.SENSOR)
    for_ever = sorted(s.value.lower() for s in TickStatus if kept.get(s, FOR_EVER) == FOR_EVER)
    if for_ever:
        yield findings.warning(
            "ticks of sensors", f"those that are {', '.join(for_ever)} are kept for ever. {HERE}"
        )
    else:
        yield findings.ok("ticks of sensors", "are dropped after a while")


def _limits_runs(instance: dg.DagsterInstance) -> bool:
    queue = instance.get_concurrency_config().run_queue_config
    limits: list[Any] = list(queue.tag_concurrency_limits) if queue else []
    wanted = {"applyLimitPerUniqueValue": True}
    return any(
        each.get("key") == CLUSTER_TAG and each.get("value") == wanted and each.get("limit") == 1
        for each in limits
    )
