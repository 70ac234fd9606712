"""What the sensor says of the live workflows: a materialization of an asset that Argo's controller writes."""

from collections import Counter
from datetime import datetime

import dagster as dg

from argo_retention.defs.keys import LIVE_WORKFLOWS
from argo_retention.defs.metadata import counts_table
from argo_retention.operations.watching import NAMESPACES_SHOWN, Overview


def live_workflows_report(
    overview: Overview, *, cluster: str, size: int, now: datetime
) -> dg.AssetMaterialization:
    """Counts by phase and namespace, the oldest that waits, and about how many bytes all of them are."""
    oldest = overview.oldest_waiting
    age = (now - oldest).total_seconds() / 60 if oldest is not None else 0.0
    return dg.AssetMaterialization(
        asset_key=LIVE_WORKFLOWS,
        partition=cluster,
        metadata={
            "dagster/row_count": overview.live,
            "finished": overview.finished,
            "waiting_to_be_archived": overview.waiting,
            "oldest_waiting": f"{oldest:%Y-%m-%d %H:%M:%SZ}" if oldest is not None else "none",
            "oldest_waiting_minutes": round(age, 1),
            "bytes_about": size,
            "by_phase": counts_table("phase", overview.by_phase),
            "by_namespace": counts_table(
                "namespace", Counter(dict(overview.by_namespace.most_common(NAMESPACES_SHOWN)))
            ),
        },
    )
