"""Making the expiry plan of a run: rows past their TTL and rows that vanished in, one Parquet file out."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from argo_retention.core.expiry_planning import (
    ExpiryDecision,
    ExpiryPlan,
    live_holds,
    plan_expiry,
    shortest_ttl,
)
from argo_retention.core.ledger import ExpiryUnit, LeaseGrant, PlanRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogRecord
from argo_retention.core.reasons import Reason, Verdict
from argo_retention.errors import PlanRefusedError
from argo_retention.operations.garbage import rare_collections
from argo_retention.operations.holding import holds_now
from argo_retention.operations.planning import plan_identity
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import read_snapshot

EXPIRY_PLAN_SCHEMA: Mapping[str, str] = {
    "uid": "string",
    "namespace": "string",
    "name": "string",
    "phase": "string",
    "finished_at": "timestamp",
    "digest": "string",
    "verdict": "string",
    "reason": "string",
    "sentence": "string",
    "rule": "string",
    "expires_at": "timestamp",
    "live_version": "int64",
}

EXPIRY_PLAN_COLUMNS: Mapping[str, str] = {
    "uid": "metadata.uid",
    "namespace": "metadata.namespace",
    "name": "metadata.name",
    "phase": "phase in the archive",
    "finished_at": "status.finishedAt of the row, UTC",
    "digest": "md5 of the row's workflow; another one at expiry keeps the row",
    "verdict": "keep or remove",
    "reason": "word of a closed set",
    "sentence": "the reason for people",
    "rule": "rule whose archive.ttl counts, or archiveTTL",
    "expires_at": "when TTL or grace end, UTC; empty where it never expires",
    "live_version": "resourceVersion of the live object, with expiry.while_live: expire",
}

_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_REASONS = {reason.value: reason for reason in Reason}

TIME_ZONE_MARGIN = timedelta(days=1)
"""The column finishedat is a wall clock of some controller; it only preselects, so it gets a day of room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeExpiryPlan:
    """A plan with its record and address."""

    plan: ExpiryPlan
    record: PlanRecord
    uri: str


@rare_collections()
def make_expiry_plan(site: Site, grant: LeaseGrant) -> MadeExpiryPlan:
    """Plan on the snapshot of this root run and keep it; vanished rows are noticed and their grace begins."""
    snapshot, workflows = read_snapshot(site)
    if not snapshot.accepted:
        raise PlanRefusedError(
            "The snapshot's counts were refused by the brake on falling counts, so nothing expires.\n"
            "The materialization of workflow_snapshot says what was expected and what to do."
        )
    installation = site.installation
    vanished = site.archive.vanished(
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        namespace=installation.managed_namespace,
    )
    unseen = [unit for unit in vanished if unit.at is None]
    if unseen:
        site.archive.record_units(grant, unseen)
    plan = expiry_plan_now(site, workflows, vanished=vanished)
    plan_id = plan_identity(site, "expiry", plan.digest)
    path = f"plans/{installation.partition}/{plan_id}.parquet"
    uri = site.tables.write(path, EXPIRY_PLAN_SCHEMA, _rows(plan.decisions))
    record = PlanRecord(
        plan_id=plan_id,
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        kind="expiry",
        root_run=site.root_run,
        path=path,
        policy_digest=installation.policy.digest,
        removals=len(plan.removals),
    )
    site.archive.record_plan(grant, record)
    return MadeExpiryPlan(plan=plan, record=record, uri=uri)


def expiry_plan_now(
    site: Site, workflows: Sequence[LiveWorkflow], *, vanished: Sequence[ExpiryUnit]
) -> ExpiryPlan:
    """The plan for the archive as it is now, with these workflows live."""
    installation = site.installation
    now = site.clock()
    ttl = shortest_ttl(installation.policy)
    counts = site.archive.counts(
        clustername=installation.clustername, instanceid=installation.instanceid
    )
    batches = (
        site.archive.expiry_candidates(
            clustername=installation.clustername,
            instanceid=installation.instanceid,
            namespace=installation.managed_namespace,
            finished_before=now - ttl + TIME_ZONE_MARGIN,
        )
        if ttl is not None
        else ()
    )
    return plan_expiry(
        (candidate for batch in batches for candidate in batch),
        vanished=vanished,
        live_versions={w.uid: w.resource_version for w in workflows},
        policy=installation.policy,
        now=now,
        holds=holds_now(site),
        held_live=live_holds(workflows),
        total_rows=counts["rows"],
    )


def unnamed_logs(site: Site) -> Sequence[LogRecord]:
    """Stored logs of rows that are there, which no reference names: the first fifty. There should be none."""
    installation = site.installation
    return site.archive.unnamed_logs(
        clustername=installation.clustername, instanceid=installation.instanceid
    )


def read_expiry_plan(site: Site, record: PlanRecord) -> ExpiryPlan:
    """The plan as it was kept."""
    rows = (row for batch in site.tables.read(record.path) for row in batch)
    return ExpiryPlan(decisions=tuple(_decision(row) for row in rows))


def expiry_reasons(decisions: Iterable[ExpiryDecision]) -> Counter[str]:
    """How many rows have each reason."""
    return Counter(decision.reason.value for decision in decisions)


def _rows(decisions: Sequence[ExpiryDecision]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(decisions), 5000):
        yield [
            {column: getattr(decision, column) for column in EXPIRY_PLAN_SCHEMA}
            for decision in decisions[start : start + 5000]
        ]


def _decision(row: dict[str, Any]) -> ExpiryDecision:
    row["verdict"], row["reason"] = _VERDICTS[row["verdict"]], _REASONS[row["reason"]]
    return ExpiryDecision(**row)
