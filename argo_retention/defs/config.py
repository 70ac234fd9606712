"""Run configuration."""

import dagster as dg
from pydantic import Field


class OutcomeConfig(dg.Config):
    """Which plan an outcome carries out. How (observe or apply) is in retention.yaml only."""

    plan_id: str | None = Field(
        default=None,
        description="Plan to carry out, as `argo-retention plan` shows it; default: the run's own.",
    )
