"""The code location: our definitions for the settings named by ARGO_RETENTION_CONFIG.

A host location that has definitions of its own merges `argo_retention.defs.building.build_definitions`.
"""

from argo_retention.defs.building import build_location
from argo_retention.sites import load_settings

defs = build_location(load_settings())
