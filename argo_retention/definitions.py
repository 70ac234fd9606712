"""The code location: our definitions for the settings named by ARGO_RETENTION_CONFIG.

A host location that has definitions of its own merges `argo_retention.defs.building.build_definitions`.
"""

import dagster as dg

from argo_retention.defs.building import build_definitions
from argo_retention.sites import load_settings

# In process: the steps are few and coarse, and a process a step costs two seconds each.
defs = dg.Definitions.merge(
    build_definitions(load_settings()),
    dg.Definitions(executor=dg.in_process_executor),
)
