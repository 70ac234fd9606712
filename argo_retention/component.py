"""For projects of Dagster's `dg`: argo_retention from a `defs.yaml`."""

from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from pydantic import Field

from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.building import build_definitions
from argo_retention.sites import load_settings


class ArgoRetentionComponent(dg.Component, dg.Model, dg.Resolvable):
    """Retention for Argo Workflows: archive, keep logs, delete and expire with proof.

    Settings come from `settings`, else from the file `config`, else from that of ARGO_RETENTION_CONFIG. There
    is no executor in it: the project's own runs the steps.
    """

    config: str | None = Field(
        default=None, description="Path of retention.yaml, from the folder of this defs.yaml."
    )
    settings: dict[str, Any] | None = Field(
        default=None, description="What retention.yaml would hold: clusters, defaults, alerts."
    )

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """All definitions. Raises ConfigurationError for a mistake in the settings."""
        if self.settings is not None:
            text = yaml.safe_dump(self.settings)
            return build_definitions(parse_settings(text, source="settings of the component"))
        path = Path(context.path) / self.config if self.config is not None else None
        return build_definitions(load_settings(path))
