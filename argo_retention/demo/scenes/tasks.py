"""What one pod of a workflow runs, how it ends and what it prints."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """One pod of a workflow."""

    name: str
    template: str
    log: str
    image: str = "busybox:1.37"
    command: tuple[str, ...] = ("sh", "-c")
    args: tuple[str, ...] = ()
    seconds: int = 20
    phase: str = "Succeeded"  # Running: the pod still runs
    failed_attempts: int = 0  # earlier pods of the same task, under a node of type Retry
    env: Mapping[str, str] = field(default_factory=dict)
    memory: str = "256Mi"
    message: str = ""
