"""Who used the processors while something was measured: the product, PostgreSQL, S3, the emulated API, others.

A figure that two cores cannot give is told from one that we waste: what each side costs stands beside it.
"""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

import psutil

IDLE, PRODUCT, REST = "idle", "product", "rest"
#: Name of a process, or a part of its command line → whose work it is.
_NAMES = {"postgres": "postgresql", "weed": "s3"}
_COMMANDS = {"argo_retention.demo.kube_api": "kubernetes"}


def used() -> Mapping[str, float]:
    """Seconds of CPU since each process began, by whose they are; `idle` of all cores together.

    The children that a process has waited for count as its own, so what ends in between is not lost as long
    as its parent stays.
    """
    seconds: Counter[str] = Counter()
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            role = _role(process)
            if role is not None:
                seconds[role] += sum(process.cpu_times()[:4])
    machine = psutil.cpu_times()
    seconds[IDLE] = machine.idle + getattr(machine, "iowait", 0.0)
    seconds["all"] = sum(machine[:8])
    return seconds


def between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Seconds of CPU of each; `rest` is the machine's other work."""
    spent = {role: after[role] - before.get(role, 0.0) for role in after if role != "all"}
    spent[REST] = after["all"] - before["all"] - sum(spent.values())
    return {role: max(0.0, seconds) for role, seconds in spent.items()}


def _role(process: psutil.Process) -> str | None:
    if process.pid == os.getpid():
        return PRODUCT
    named = _NAMES.get(process.name())
    if named is not None:
        return named
    command = " ".join(process.cmdline())
    return next((role for part, role in _COMMANDS.items() if part in command), None)
