"""The whole life of one workflow, live or long gone: cluster, archive, ledger, and what the plans say now."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from argo_retention.core import labels
from argo_retention.core.expiry_planning import ExpiryDecision, live_holds, plan_expiry
from argo_retention.core.ledger import ArchivedRow, Deletion, ExpiryCandidate, ExpiryUnit
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.logs import LogRecord, LogReference
from argo_retention.core.manifests import (
    decode,
    finished_at,
    parse_time,
    section,
)
from argo_retention.core.planning import Decision, Plan
from argo_retention.core.ports.cluster import DeleteOutcome
from argo_retention.core.proofs import ProvenVersion
from argo_retention.core.proving import row_resource_version
from argo_retention.core.reasons import OUTCOMES
from argo_retention.errors import ConfigurationError
from argo_retention.operations.holding import holds_now
from argo_retention.operations.previewing import is_ready, plan_as_known
from argo_retention.operations.site import Site
from argo_retention.operations.snapshotting import list_live
from argo_retention.operations.vanishing import VANISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The archive row as it stands now."""

    instanceid: str
    phase: str
    created_at: datetime | None
    finished_at: datetime | None
    resource_version: int | None  # in its JSON
    digest: str
    is_proven: bool  # it is the very row that was proven


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to it."""

    at: datetime | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is known of one uid."""

    uid: str
    namespace: str
    name: str
    live: LiveWorkflow | None
    row: Row | None
    proof: ProvenVersion | None
    logs: Sequence[LogRecord]
    named_only: Sequence[LogReference]  # objects that its row names and no log record speaks of
    deletions: Sequence[Deletion]
    expiry_unit: ExpiryUnit | None
    decision: Decision | None  # what the retention plan says now; None: it is not in the cluster
    expiry: ExpiryDecision | None  # what the expiry plan says now; None: there is nothing to expire

    @property
    def standing(self) -> str:
        """Where it is now, in a few words."""
        if self.live is not None:
            phase = self.live.phase or "not started"
            return f"in the cluster ({phase})" + (", archived" if self.row is not None else "")
        if self.row is not None:
            return "archived, not in the cluster any more"
        if self.expiry_unit is None:
            return "not in the cluster, no archive row; the ledger remembers it"
        return {
            "done": "expired: its row and logs are gone",
            "row_vanished": "its archive row was removed by somebody else",
            "withdrawn": "its archive row was removed by somebody else",
        }.get(self.expiry_unit.stage, "expiring; the next expiry run finishes it")

    @property
    def removed_by_others(self) -> bool:
        """It left the cluster, and not by us: Argo or a person deleted it."""
        ours = {DeleteOutcome.DELETED.value, DeleteOutcome.TERMINATING.value}
        return self.live is None and not any(d.outcome in ours for d in self.deletions)

    @property
    def events(self) -> list[Event]:
        """What happened, oldest first; of the same second in the order of the work."""
        events = []
        row, proof = self.row, self.proof
        if self.live is not None:
            events.append(Event(at=self.live.created_at, what="created"))
        elif row is not None:
            events.append(Event(at=row.created_at, what="created"))
        if proof is not None:
            what = f"finished as {proof.facts.phase}"
            events.append(Event(at=proof.facts.finished_at, what=what))
        elif row is not None:
            events.append(Event(at=row.finished_at, what=f"finished as {row.phase}"))
        if self.logs:
            states = Counter(record.state.value for record in self.logs)
            saved = [record.saved_at for record in self.logs if record.saved_at is not None]
            what = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
            events.append(Event(at=max(saved, default=None), what=f"logs: {what}"))
        if proof is not None:
            what = f"proven in the archive at resourceVersion {proof.resource_version}"
            events.append(Event(at=proof.proven_at, what=what))
        events += [Event(at=d.at, what=_told(d)) for d in self.deletions]
        unit = self.expiry_unit
        if unit is not None:
            what = f"{_STAGES.get(unit.stage, unit.stage)}: {unit.reason}"
            run = f" (plan {unit.plan_id}, run {unit.run_id})" if unit.plan_id else ""
            events.append(Event(at=unit.at, what=what + run))
        return sorted(events, key=lambda event: (event.at or _LONG_AGO).replace(microsecond=0))


_LONG_AGO = datetime.min.replace(tzinfo=UTC)

_STAGES = {
    "intended": "expiry begun",
    "objects_done": "its log objects expired, its row is next",
    "done": "row, labels and log objects expired",
    "row_vanished": "its archive row was missed for the first time",
    "withdrawn": "expiry given up, since its row had changed",
}


def explain(site: Site, subject: str) -> list[Life]:
    """All lives of NAMESPACE/NAME, newest first, or the one of a uid.

    Raises ConfigurationError where nothing is known of it.
    """
    installation = site.installation
    live = list_live(site)
    ready = is_ready(site.archive.facts())
    present = {workflow.uid: workflow for workflow in live}
    uids = _uids(site, subject, live, ready=ready)
    rows = {
        row.uid: row
        for row in (
            site.archive.rows(clustername=installation.clustername, uids=uids) if ready else ()
        )
    }
    plan = plan_as_known(site, live, ready=ready) if present.keys() & set(uids) else None
    holds = holds_now(site, ready=ready)
    lives = [
        _life(site, uid, live=present.get(uid), row=rows.get(uid), plan=plan, holds=holds)
        if ready
        else _unrecorded(present[uid], plan)
        for uid in uids
        if ready or uid in present
    ]
    known = [life for life in lives if _is_known(life)]
    if not known:
        raise _unknown(site, subject)
    # Of what expired, only the time of its expiry may be left, which tells nothing of its age.
    return sorted(known, key=lambda life: (life.live is None, life.row is None))


def _uids(site: Site, subject: str, live: Sequence[LiveWorkflow], *, ready: bool) -> list[str]:
    namespace, slash, name = subject.partition("/")
    if not slash:
        return [subject]
    found = [w.uid for w in live if (w.namespace, w.name) == (namespace, name)]
    if ready:
        found += site.archive.find_uids(
            clustername=site.installation.clustername, namespace=namespace, name=name
        )
    return list(dict.fromkeys(found))


def _unknown(site: Site, subject: str) -> ConfigurationError:
    installation = site.installation
    namespace, slash, name = subject.partition("/")
    if slash and site.cluster.get_workflow(namespace=namespace, name=name) is not None:
        place = installation.managed_namespace or "all namespaces"
        return ConfigurationError(
            f"Workflow {subject} is in cluster {installation.partition}, but this installation does not "
            f"manage it (selector {installation.selector}, {place}).\n"
            "Name the cluster of its own installation with --cluster."
        )
    return ConfigurationError(
        f"Cluster {installation.partition}: no workflow {subject} in cluster, archive or ledger.\n"
        "Check NAMESPACE/NAME or the uid, or name another cluster with --cluster."
    )


def _is_known(life: Life) -> bool:
    parts = (life.live, life.row, life.proof, life.expiry_unit)
    return any(part is not None for part in parts) or bool(life.logs or life.deletions)


def _unrecorded(live: LiveWorkflow, plan: Plan | None) -> Life:
    """Before the first run: only the cluster knows it."""
    return Life(
        uid=live.uid,
        namespace=live.namespace,
        name=live.name,
        live=live,
        row=None,
        proof=None,
        logs=(),
        named_only=(),
        deletions=(),
        expiry_unit=None,
        decision=_decision(plan, live.uid),
        expiry=None,
    )


def _life(
    site: Site,
    uid: str,
    *,
    live: LiveWorkflow | None,
    row: ArchivedRow | None,
    plan: Plan | None,
    holds: Mapping[str, str],
) -> Life:
    clustername = site.installation.clustername
    history = site.archive.history(clustername=clustername, uid=uid)
    proof: ProvenVersion | None = history["proof"]
    logs: Sequence[LogRecord] = history["logs"]
    deletions: Sequence[Deletion] = history["deletions"]
    unit: ExpiryUnit | None = history["expiry"]
    recorded = {(record.bucket, record.key) for record in logs}
    references = site.archive.references(clustername=clustername, uids=[uid])
    namespace, name = _names(live, row, unit, deletions, logs)
    return Life(
        uid=uid,
        namespace=namespace,
        name=name,
        live=live,
        row=_row(row, proof) if row is not None else None,
        proof=proof,
        logs=logs,
        named_only=[r for r in references if (r.bucket, r.key) not in recorded],
        deletions=deletions,
        expiry_unit=unit,
        decision=_decision(plan, uid),
        expiry=_expiry(site, uid, live=live, row=row, holds=holds),
    )


def _names(*sources: Any) -> tuple[str, str]:
    """Namespace and name by the first source that has them; a list counts by its first entry."""
    for source in sources:
        first = next(iter(source), None) if isinstance(source, Sequence) else source
        if isinstance(first, LogRecord):
            return first.namespace, first.workflow
        if first is not None:
            return first.namespace, first.name
    return "", ""


def _decision(plan: Plan | None, uid: str) -> Decision | None:
    return next((d for d in plan.decisions if d.uid == uid), None) if plan is not None else None


def _row(row: ArchivedRow, proof: ProvenVersion | None) -> Row:
    manifest = decode(row.workflow)
    created = section(manifest, "metadata").get("creationTimestamp")
    return Row(
        instanceid=row.instanceid,
        phase=row.phase,
        created_at=parse_time(created, what="metadata.creationTimestamp"),
        finished_at=finished_at(manifest),
        resource_version=row_resource_version(manifest),
        digest=row.digest,
        is_proven=proof is not None and proof.digest == row.digest,
    )


def _expiry(
    site: Site,
    uid: str,
    *,
    live: LiveWorkflow | None,
    row: ArchivedRow | None,
    holds: Mapping[str, str],
) -> ExpiryDecision | None:
    """What the expiry plan says of this row, or of its logs where the row vanished."""
    installation = site.installation
    candidates, vanished = [], []
    if row is None:
        vanished = [
            unit
            for unit in site.archive.vanished(
                clustername=installation.clustername,
                instanceid=installation.instanceid,
                namespace=installation.managed_namespace,
            )
            if unit.uid == uid
        ]
    elif row.instanceid == installation.instanceid:
        candidates = [_candidate(row)]
    plan = plan_expiry(
        candidates,
        vanished=vanished,
        live_versions={live.uid: live.resource_version} if live is not None else {},
        policy=installation.policy,
        now=site.clock(),
        holds=holds,
        held_live=live_holds([live]) if live is not None else {},
        total_rows=0,
    )
    return next(iter(plan.decisions), None)


_TEMPLATE_LABELS = (
    labels.WORKFLOW_TEMPLATE,
    labels.CLUSTER_WORKFLOW_TEMPLATE,
    labels.CRON_WORKFLOW,
)


def _candidate(row: ArchivedRow) -> ExpiryCandidate:
    """As `Archive.expiry_candidates` gives it, but for one row, whatever its age."""
    manifest = decode(row.workflow)
    metadata = section(manifest, "metadata")
    own, annotations = section(metadata, "labels"), section(metadata, "annotations")
    return ExpiryCandidate(
        uid=row.uid,
        namespace=row.namespace,
        name=row.name,
        phase=row.phase,
        finished_at=finished_at(manifest),
        digest=row.digest,
        labels=own,
        template=next((own[label] for label in _TEMPLATE_LABELS if own.get(label)), ""),
        hold=str(annotations.get(labels.HOLD) or ""),
        archive_ttl=str(annotations.get(labels.ARCHIVE_TTL) or ""),
    )


def _told(deletion: Deletion) -> str:
    what = OUTCOMES.get(deletion.outcome, deletion.outcome)
    if deletion.outcome == VANISHED:
        return f"{what}: {deletion.reason} (seen by run {deletion.run_id})"
    rank = f", rank {deletion.rank}" if deletion.rank is not None else ""
    return (
        f"{what}: {deletion.reason} (rule {deletion.rule}{rank}; plan {deletion.plan_id}, "
        f"run {deletion.run_id}, by {deletion.by_whom})"
    )
