"""Run configuration."""

import dagster as dg
from pydantic import Field


class PlanConfig(dg.Config):
    """Which plan an outcome carries out. How (observe or apply) is in retention.yaml only."""

    plan_id: str | None = Field(
        default=None,
        description="Plan to carry out, as `argo-retention plan` shows it; default: the run's own.",
    )


class RetentionOutcomeConfig(PlanConfig):
    """The same, and how many a person lets go once."""

    allow_deletions: int | None = Field(
        default=None,
        ge=0,
        description="Let this plan pass although brakes.max_share refuses it, if it deletes no more.",
    )
