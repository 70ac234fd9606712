"""Making the retention plan of a run: ledger and snapshot in, one Parquet file with a decision each out."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argo_retention.core.ledger import LeaseGrant, PlanRecord
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.opinions import Candidate
from argo_retention.core.planning import Decision, Plan, plan_retention
from argo_retention.core.reasons import Reason, Verdict
from argo_retention.errors import PlanRefusedError
from argo_retention.operations.garbage import rare_collections
from argo_retention.operations.holding import holds_now
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import read_snapshot

PLAN_SCHEMA: Mapping[str, str] = {
    "uid": "string",
    "namespace": "string",
    "name": "string",
    "phase": "string",
    "created_at": "timestamp",
    "finished_at": "timestamp",
    "resource_version": "int64",
    "verdict": "string",
    "reason": "string",
    "sentence": "string",
    "rule": "string",
    "rank": "int64",
    "surplus": "bool",
    "lost_logs": "int64",
}

PLAN_COLUMNS: Mapping[str, str] = {
    "uid": "metadata.uid",
    "namespace": "metadata.namespace",
    "name": "metadata.name",
    "phase": "label phase",
    "created_at": "metadata.creationTimestamp, UTC",
    "finished_at": "status.finishedAt, UTC; empty where no version is proven",
    "resource_version": "version that was decided on",
    "verdict": "keep, remove or ineligible",
    "reason": "word of a closed set",
    "sentence": "the reason for people",
    "rule": "rule of retention.yaml, retentionPolicy or ttlStrategy",
    "rank": "place in its group, newest first, from 1",
    "surplus": "whether policy alone would remove it",
    "lost_logs": "logs that cannot be had any more",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePlan:
    """A plan with its record and address."""

    plan: Plan
    record: PlanRecord
    uri: str


@rare_collections()
def make_plan(site: Site, grant: LeaseGrant) -> MadePlan:
    """Plan on the snapshot of this root run and keep it.

    Raises PlanRefusedError where the snapshot's counts were not believed; the plan of a brake's refusal is
    kept, so that a person can look at it.
    """
    snapshot, workflows = read_snapshot(site)
    if not snapshot.accepted:
        raise PlanRefusedError(
            "The snapshot's counts were refused by the brake on falling counts, so nothing is planned.\n"
            "The materialization of workflow_snapshot says what was expected and what to do."
        )
    plan = plan_now(site, workflows, now=site.clock())
    return _keep_plan(site, grant, plan)


@rare_collections()
def plan_now(site: Site, workflows: Sequence[LiveWorkflow], *, now: datetime) -> Plan:
    """The plan for these live workflows with what the ledger knows now."""
    return plan_retention(
        candidates(site, workflows),
        policy=site.installation.policy,
        now=now,
        holds=holds_now(site),
    )


def candidates(site: Site, workflows: Sequence[LiveWorkflow]) -> list[Candidate]:
    """Live workflows joined with their proofs."""
    clustername = site.installation.clustername
    live = {workflow.uid for workflow in workflows}
    proofs = {
        proof.uid: proof
        for proof in site.archive.proven_versions(clustername=clustername)
        if proof.uid in live
    }
    return [Candidate(workflow=w, proof=proofs.get(w.uid)) for w in workflows]


def _keep_plan(site: Site, grant: LeaseGrant, plan: Plan) -> MadePlan:
    """Write the file, then the record that makes it the current plan."""
    installation = site.installation
    plan_id = plan_identity(site, "retention", plan.digest)
    path = f"plans/{installation.partition}/{plan_id}.parquet"
    uri = site.tables.write(path, PLAN_SCHEMA, _rows(plan.decisions))
    record = PlanRecord(
        plan_id=plan_id,
        clustername=installation.clustername,
        instanceid=installation.instanceid,
        kind="retention",
        root_run=site.root_run,
        path=path,
        policy_digest=installation.policy.digest,
        removals=len(plan.removals),
    )
    site.archive.record_plan(grant, record)
    return MadePlan(plan=plan, record=record, uri=uri)


def plan_identity(site: Site, kind: str, digest: str) -> str:
    """Plan id: digest of cluster, run, policy and content."""
    installation = site.installation
    identity = (
        f"{kind} {installation.partition} {site.run_id} {installation.policy.digest} {digest}"
    )
    return hashlib.sha256(identity.encode()).hexdigest()[:20]


def read_plan(site: Site, record: PlanRecord) -> Plan:
    """The plan as it was kept."""
    rows = (row for batch in site.tables.read(record.path) for row in batch)
    return Plan(decisions=tuple(_decision(row) for row in rows))


def claimable_plan(site: Site, *, kind: str, plan_id: str | None) -> PlanRecord:
    """The plan that an outcome may use: by id, else that of its own root run.

    Raises PlanRefusedError where there is none, it was used, is too old, or was made under another policy.
    """
    installation = site.installation
    record = site.archive.plan_record(
        clustername=installation.clustername,
        kind=kind,
        plan_id=plan_id,
        root_run=None if plan_id else site.root_run,
    )
    name = f"plan {plan_id}" if plan_id else f"{kind} plan of run {site.root_run}"
    if record is None or (record.kind, record.instanceid) != (kind, installation.instanceid):
        raise PlanRefusedError(
            f"There is no {name} for cluster {installation.partition}.\n"
            "Run the job that makes the plan too, or give the id that `argo-retention plan` shows."
        )
    if record.state != "made":
        raise PlanRefusedError(
            f"The {name} is {record.state}; a plan is used once and only while it is the latest.\n"
            "Plan again; nothing was deleted."
        )
    if record.policy_digest != installation.policy.digest:
        raise PlanRefusedError(
            f"The {name} was made under another policy than the settings hold now.\n"
            "Plan again under the settings as they are; nothing was deleted."
        )
    age = site.clock() - record.made_at if record.made_at else None
    max_age = installation.settings.retention.plan_max_age
    if age is None or age > max_age:
        raise PlanRefusedError(
            f"The {name} was made at {record.made_at:%Y-%m-%d %H:%M:%SZ}, longer ago than "
            f"retention.plan_max_age allows.\nPlan again; nothing was deleted."
        )
    return record


def reasons_of(decisions: Iterable[Decision]) -> Counter[str]:
    """How many workflows have each reason."""
    return Counter(decision.reason.value for decision in decisions)


def refused(decisions: Iterable[Decision]) -> list[Decision]:
    """Those that policy would remove and something forbids, but those that only wait for the next run."""
    return [d for d in decisions if d.is_refused and d.reason is not Reason.WAITING]


def unproven_removals(site: Site, plan: Plan) -> list[str]:
    """Planned removals whose proof is not in the ledger as the plan says; namespace/name of each.

    A second fence behind the planning itself, for the asset check; collecting reads the rows once more.
    """
    removals = {d.uid: d for d in plan.removals}
    proofs = {
        proof.uid: proof
        for proof in site.archive.proven_versions(
            clustername=site.installation.clustername, uids=list(removals)
        )
    }
    unproven = []
    for uid, decision in removals.items():
        proof = proofs.get(uid)
        if (
            proof is None
            or not proof.holds_for(decision.resource_version)
            or not (proof.row_exists or proof.expired_while_live)
            or not proof.logs.is_settled
        ):
            unproven.append(f"{decision.namespace}/{decision.name}")
    return unproven


def _rows(decisions: Sequence[Decision]) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(decisions), 5000):
        yield [
            {column: getattr(decision, column) for column in PLAN_SCHEMA}
            for decision in decisions[start : start + 5000]
        ]


def _decision(row: Mapping[str, Any]) -> Decision:
    return Decision(**{**row, "verdict": Verdict(row["verdict"]), "reason": Reason(row["reason"])})
