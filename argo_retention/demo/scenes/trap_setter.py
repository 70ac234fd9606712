"""What setting a trap needs: a workflow of one pod, and a note of how it must end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from argo_retention.demo.scenes.building import Run, SceneBuilder
from argo_retention.demo.scenes.scene import Trap
from argo_retention.demo.scenes.tasks import Task
from argo_retention.demo.scenes.workflows import Maker

TRAPS, TWIN, HELD = "traps", "traps-twin", "traps-held"
YOUNG = timedelta(days=3, hours=1)
#: Past the 90 days after which rows of these namespaces expire.
EXPIRED = timedelta(days=120)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrapSetter:
    """What setting a trap needs."""

    stage: SceneBuilder
    maker: Maker
    now: datetime

    def run(
        self,
        name: str,
        *,
        age: timedelta = YOUNG,
        namespace: str = TRAPS,
        says: str = "",
        stored: bool = False,
        **options: Any,
    ) -> Run:
        """One workflow of one pod; `stored` puts its log into the bucket and names it in the node."""
        says = says or f"{namespace}/{name} was here\n"
        phase = options.pop("phase", "Succeeded")
        task = Task(name=name, template="main", args=(f"echo {name}",), log=says, phase=phase)
        run = self.maker.make(
            namespace=namespace, name=name, created=self.now - age, tasks=[task], **options
        )
        if stored:
            run.name_logs()
            self.stage.put_stored(run)
        return run

    def register(
        self,
        run: Run,
        ends: str,
        *,
        trap: str = "",
        live: bool = True,
        stays: bool = False,
        row: bool = True,
        reason: str = "",
        clustername: str = "",
        keeps: Sequence[tuple[str, str]] = (),
        loses: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Say under which name the trap is known, and how it must end."""
        name = trap or str(run.metadata["name"])
        self.stage.traps[name] = Trap(
            namespace=run.metadata["namespace"],
            name=run.metadata["name"],
            uid=run.uid,
            clustername=clustername or self.stage.clustername,
            live=live,
            stays_live=stays,
            row_at_end=row,
            reason=reason,
            ends=ends,
            keeps=tuple(keeps),
            loses=tuple(loses),
        )
