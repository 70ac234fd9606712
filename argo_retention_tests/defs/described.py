"""The definitions as a document that a person can read and a test can compare."""

from typing import Any

import dagster as dg

from argo_retention.core.settings_file import parse_settings
from argo_retention.defs.building import build_location

SETTINGS = """
clusters:
  production:
    schedules: {retention: "*/15 * * * *", expiry: "0 4 * * *"}
  staging: {}
"""


def location(settings: str = SETTINGS) -> dg.Definitions:
    return build_location(parse_settings(settings, source="retention.yaml"))


def described(definitions: dg.Definitions) -> dict[str, Any]:
    """Assets with what leads to them, checks, jobs, schedules and sensors."""
    graph = definitions.resolve_asset_graph()
    return {
        "assets": {
            key.to_user_string(): _asset(graph.get(key))
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": {
            f"{key.asset_key.to_user_string()}: {key.name}": {"blocking": graph.get(key).blocking}
            for key in sorted(graph.asset_check_keys, key=str)
        },
        "jobs": {
            job.name: sorted(key.to_user_string() for key in job.asset_layer.executable_asset_keys)
            for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "schedules": {
            schedule.name: f"{schedule.cron_schedule} {schedule.execution_timezone}: {schedule.job_name}"
            for schedule in sorted(definitions.schedules or (), key=lambda each: each.name)
        },
        "sensors": {
            sensor.name: f"every {sensor.minimum_interval_seconds} s: {sensor.job_name}"
            for sensor in sorted(definitions.sensors or (), key=lambda each: each.name)
        },
    }


def _asset(node: Any) -> dict[str, Any]:
    return {
        "from": sorted(key.to_user_string() for key in node.parent_keys),
        "partitions": sorted(node.partitions_def.get_partition_keys()),
        "external": node.is_external,
        "group": node.group_name,
        "kinds": sorted(node.kinds),
        "tags": {name: value for name, value in node.tags.items() if "/kind/" not in name},
    }
