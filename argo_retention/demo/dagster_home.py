"""A DAGSTER_HOME as a real installation has it: storage in PostgreSQL, compute logs in S3, a queue."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from argo_retention.demo.scenes.scene import S3Address

#: The queue lets one run of a cluster wait for the other politely; what protects is the lease.
CLUSTER_TAG = "argo_retention/cluster"

WORKSPACE = """\
load_from:
  - python_module:
      module_name: argo_retention.definitions
      location_name: argo_retention
"""


def write_dagster_home(folder: Path, *, dsn: str, s3: S3Address, bucket: str) -> dict[str, str]:
    """Write dagster.yaml and workspace.yaml; the environment that processes of Dagster need.

    Password and keys are in the environment only, not in the files.
    """
    folder.mkdir(parents=True)
    (folder / "compute_logs").mkdir()
    parts = urlsplit(dsn)
    document = {
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},  # no newsletter form over the first page
        "storage": {
            "postgres": {
                "postgres_db": {
                    "hostname": parts.hostname,
                    "port": parts.port,
                    "username": {"env": "DAGSTER_PG_USER"},
                    "password": {"env": "DAGSTER_PG_PASSWORD"},
                    "db_name": parts.path.removeprefix("/"),
                }
            }
        },
        "compute_logs": {
            "module": "dagster_aws.s3.compute_log_manager",
            "class": "S3ComputeLogManager",
            "config": {
                "bucket": bucket,
                "prefix": "compute-logs",
                "local_dir": str(folder / "compute_logs"),
                "endpoint_url": s3.endpoint,
                "use_ssl": False,
                "skip_empty_files": True,
                "region": "us-east-1",
            },
        },
        "scheduler": {
            "module": "dagster._core.scheduler",
            "class": "DagsterDaemonScheduler",
            "config": {"max_catchup_runs": 1},
        },
        "concurrency": {
            "runs": {
                "tag_concurrency_limits": [
                    {"key": CLUSTER_TAG, "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
                ]
            }
        },
    }
    (folder / "dagster.yaml").write_text(json.dumps(document, indent=2), encoding="utf-8")
    (folder / "workspace.yaml").write_text(WORKSPACE, encoding="utf-8")
    return {
        "DAGSTER_HOME": str(folder),
        "DAGSTER_PG_USER": parts.username or "",
        "DAGSTER_PG_PASSWORD": parts.password or "",
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
