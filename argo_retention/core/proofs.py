"""The proof that a workflow's archive row is complete, and what planning keeps from the full object."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argo_retention.core.logs import LogSummary
from argo_retention.core.manifests import (
    artifact_gc_deletes_logs,
    effective_ttl_seconds,
    finished_at,
    phase_of,
    template_name_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What planning needs from spec and status, kept with the proof so that no full object is read again."""

    phase: str  # status.phase
    finished_at: datetime | None  # status.finishedAt, UTC; None where absent or year 1
    ttl_seconds: int | None  # effective ttlStrategy of the executed spec
    template: str  # template it came from, for `match.template`
    artifact_gc_deletes_logs: bool  # our DELETE would make Argo delete the stored logs


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenVersion:
    """One row of `archived_versions`: this live version was proven against the row with this digest."""

    clustername: str
    uid: str
    resource_version: int  # of the live object that was proven
    digest: str  # md5(workflow::text) of the row
    proven_at: datetime  # UTC, the database's clock
    facts: Facts
    added: tuple[str, ...] = ()  # node_id/container of the log artifacts that we added to the row
    row_exists: bool = True  # whether it stands there now (by key only; collect reads the digest)
    live_version: int = 0  # the one after our own label patch, which changed nothing else; 0: none
    expired_while_live: bool = False  # its row expired on purpose while this version was still live
    logs: LogSummary = LogSummary()

    def holds_for(self, resource_version: int) -> bool:
        """Whether it proves this version: the one that was compared, or that with our own label."""
        is_compared = resource_version == self.resource_version
        return is_compared or resource_version == self.live_version


def facts_of(manifest: Mapping[str, Any]) -> Facts:
    """What planning needs from a full workflow."""
    return Facts(
        phase=phase_of(manifest),
        finished_at=finished_at(manifest),
        ttl_seconds=effective_ttl_seconds(manifest),
        template=template_name_of(manifest),
        artifact_gc_deletes_logs=artifact_gc_deletes_logs(manifest),
    )
