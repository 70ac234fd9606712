"""Names of our assets; all have the prefix argo, so that a host location may have an asset called plan."""

import dagster as dg

PREFIX = "argo"
GROUP = "argo_retention"
CLUSTER_TAG = "argo_retention/cluster"
TRIGGER_TAG = "argo_retention/trigger"
BY_SENSOR = "sensor"
PLAN_TAG = "argo_retention/plan_id"
DELETES_TAG = "argo_retention/deletes"  # of an asset: what goes through it


def key(name: str) -> dg.AssetKey:
    """Asset key argo/NAME."""
    return dg.AssetKey([PREFIX, name])


LIVE_WORKFLOWS = key("live_workflows")
POD_LOGS = key("pod_logs")
WORKFLOW_SNAPSHOT = key("workflow_snapshot")
LOG_OBJECTS = key("log_objects")
ARCHIVED_WORKFLOWS = key("archived_workflows")
RETENTION_PLAN = key("retention_plan")
RETENTION_OUTCOME = key("retention_outcome")
EXPIRY_PLAN = key("expiry_plan")
EXPIRY_OUTCOME = key("expiry_outcome")


def in_python_name(cluster: str) -> str:
    """A partition's name as the suffix of a job, schedule or sensor."""
    return cluster.replace("-", "_")
