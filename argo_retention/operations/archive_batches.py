"""One batch of finished workflows: made whole, compared with their rows, logs saved, rows written."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from argo_retention.core.archive_rows import SavedLog, build_row, restore_null, with_saved_logs
from argo_retention.core.artifact_repositories import resolve
from argo_retention.core.identities import Identity, identify
from argo_retention.core.labels import ArchivingStatus
from argo_retention.core.ledger import ArchivedRow, LeaseGrant, RowWrite, RowWritten
from argo_retention.core.live_workflows import LiveWorkflow
from argo_retention.core.log_references import named_objects
from argo_retention.core.logs import LogRecord, LogReference, LogSource, LogState
from argo_retention.core.manifests import (
    decode,
    finished_at,
    phase_of,
    template_name_of,
)
from argo_retention.core.nodes import log_artifacts, pod_nodes, whole_status
from argo_retention.core.phases import WorkflowPhase
from argo_retention.core.proofs import ProvenVersion, facts_of
from argo_retention.core.proving import same_workflow
from argo_retention.errors import ConfigurationError, ManifestError, RowRefusedError
from argo_retention.operations.config_maps import ConfigMaps
from argo_retention.operations.log_tasks import FullWorkflow, LogTask, first_line
from argo_retention.operations.saving_logs import LogSaver
from argo_retention.operations.site import Site
from argo_retention.operations.surveying_logs import LogSurvey


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A finished workflow that was not archived now and is kept; `reason` is a word of a few."""

    uid: str
    namespace: str
    name: str
    reason: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedWorkflow:
    """A workflow that is proven now."""

    uid: str
    wrote_row: bool  # False: the row was right already
    logs: Sequence[LogRecord]
    new_logs: int  # of these, how many were saved or found in this run


WorkflowResult = ArchivedWorkflow | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """A workflow of the batch on its way to its row."""

    full: FullWorkflow
    resource_version: int
    known: Mapping[tuple[str, str], LogRecord]
    row: ArchivedRow | None
    proof: ProvenVersion | None


class BatchArchiver:
    """Archives batches of full objects; `archive` may run in several threads at once."""

    def __init__(self, site: Site, grant: LeaseGrant) -> None:
        """Threads for logs are shared by all batches."""
        self._site = site
        self._grant = grant
        parallel = site.installation.settings.logs.parallel
        self._logs = ThreadPoolExecutor(parallel, thread_name_prefix="log")
        self._survey = LogSurvey(site)
        self._saver = LogSaver(site)
        self._config_maps = ConfigMaps(site.cluster)

    def __enter__(self) -> Self:
        """Nothing to do; threads start when they are needed."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the threads; logs that have not been begun are not begun any more."""
        self._logs.shutdown(wait=True, cancel_futures=True)

    def archive(self, bodies: Sequence[bytes]) -> list[WorkflowResult]:
        """Archive and prove these objects; one result for each."""
        results: list[WorkflowResult] = []
        manifests = []
        for body in bodies:
            try:
                manifests.append(decode(body))
            except ManifestError as error:
                results.append(refuse(_who(body), "unreadable", first_line(error)))
        prepared = self._prepare(manifests, results)
        del manifests
        logs = self._settle_logs(prepared, results)
        writes: list[RowWrite] = []
        for item in prepared:
            if item.full.uid not in logs:
                continue
            with _named(item, results):
                writes.append(self._write_for(item, logs[item.full.uid]))
        who = {item.full.uid: item.full.identity for item in prepared}
        # Decoded they take ten times the memory of their rows, and the database takes half of the time.
        prepared.clear()
        return results + self._write(writes, who, logs)

    # -- preparing ----------------------------------------------------------------------------------------

    def _prepare(
        self, manifests: Sequence[Mapping[str, Any]], results: list[WorkflowResult]
    ) -> list[_Prepared]:
        clustername = self._site.installation.clustername
        archive = self._site.archive
        uids = [manifest["metadata"]["uid"] for manifest in manifests]
        rows = {row.uid: row for row in archive.rows(clustername=clustername, uids=uids)}
        proofs = {p.uid: p for p in archive.proven_versions(clustername=clustername, uids=uids)}
        known: dict[str, dict[tuple[str, str], LogRecord]] = defaultdict(dict)
        for record in archive.log_records(clustername=clustername, uids=uids):
            known[record.uid][record.node_id, record.container] = record
        now = self._site.clock()
        prepared = []
        for manifest in manifests:
            uid = manifest["metadata"]["uid"]
            try:
                reason = self._not_now(manifest, now)
                if reason is not None:
                    results.append(_refusal(manifest, *reason))
                    continue
                full = self._whole(manifest)
                version = int(manifest["metadata"]["resourceVersion"])
            except (ManifestError, ConfigurationError) as error:
                results.append(_refusal(manifest, "unreadable", first_line(error)))
                continue
            row = rows.get(uid)
            prepared.append(
                _Prepared(
                    full=full,
                    resource_version=version,
                    known=known[uid],
                    row=row,
                    proof=proofs.get(uid),
                )
            )
        return prepared

    def _not_now(self, manifest: Mapping[str, Any], now: datetime) -> tuple[str, str] | None:
        """Why this one is left for later: retried since the snapshot, or in Argo's own queue."""
        labels_of = manifest["metadata"].get("labels") or {}
        live = LiveWorkflow(
            uid=manifest["metadata"]["uid"],
            namespace="",
            name="",
            resource_version=0,
            created_at=now,
            deleting=False,
            labels=labels_of,
            annotations={},
        )
        if not live.is_finished or phase_of(manifest) not in _COMPLETED:
            return "running", "it runs again since the snapshot"
        grace = self._site.installation.settings.archive.pending_grace
        if live.archiving_status == ArchivingStatus.PENDING:
            finished = finished_at(manifest)
            if finished is not None and now - finished < grace:
                return "pending", "it waits in Argo's own archiving queue (archive.pending_grace)"
        return None

    def _whole(self, manifest: Mapping[str, Any]) -> FullWorkflow:
        installation = self._site.installation
        metadata = manifest["metadata"]
        uid, namespace = metadata["uid"], metadata["namespace"]
        whole = whole_status(
            dict(manifest),
            lambda version: self._site.archive.offloaded_nodes(
                clustername=installation.clustername, uid=uid, version=version
            ),
        )
        rule = installation.policy.rule_for(
            namespace=namespace,
            labels=metadata.get("labels") or {},
            phase=phase_of(whole),
            template=template_name_of(whole),
        )
        save = rule.save_logs if rule is not None and rule.save_logs else None
        named = tuple(log_artifacts(whole))
        return FullWorkflow(
            manifest=whole,
            uid=uid,
            namespace=namespace,
            name=metadata["name"],
            repository=resolve(
                whole,
                controller_repository=installation.repository,
                controller_namespace=installation.controller_namespace,
                find_config_map=self._config_maps.find,
            ),
            nodes=tuple(pod_nodes(whole)),
            named=named,
            artifacts={(a.node_id, a.container): a for a in named},
            save=save or installation.settings.logs.save,
        )

    # -- logs ---------------------------------------------------------------------------------------------

    def _settle_logs(
        self, prepared: Sequence[_Prepared], results: list[WorkflowResult]
    ) -> dict[str, list[LogRecord]]:
        """uid → the records of all its logs; intents are committed before the first put."""
        found: dict[str, list[LogRecord | LogTask]] = {}
        surveys: list[tuple[_Prepared, Future[list[LogRecord | LogTask]]]] = []
        for item in prepared:
            # Most are at hand without a question, and a thread for each costs more than the answer.
            with _named(item, results):
                at_hand = self._survey.at_hand(item.full, item.known)
                if at_hand is not None:
                    found[item.full.uid] = at_hand
                else:
                    asked = self._logs.submit(self._survey.survey, item.full, item.known)
                    surveys.append((item, asked))
        for item, survey in surveys:
            with _named(item, results):
                found[item.full.uid] = survey.result()
        tasks = [t for looked in found.values() for t in looked if isinstance(t, LogTask)]
        if tasks:
            self._site.archive.record_logs(self._grant, [task.record for task in tasks])
        saved = [self._logs.submit(self._saver.save, task) for task in tasks]
        records = {
            uid: [r for r in looked if isinstance(r, LogRecord)] for uid, looked in found.items()
        }
        for task, future in zip(tasks, saved, strict=True):
            records[task.workflow.uid].append(future.result())
        return records

    # -- rows ---------------------------------------------------------------------------------------------

    def _write_for(self, item: _Prepared, logs: Sequence[LogRecord]) -> RowWrite:
        """The row as it must be, or only the proof where the row that stands there is right."""
        installation = self._site.installation
        full = item.full
        ours = [
            SavedLog(node_id=r.node_id, container=r.container, bucket=r.bucket, key=r.key)
            for r in logs
            if r.state is LogState.STORED and r.source is LogSource.OURS
        ]
        manifest, added = with_saved_logs(full.manifest, ours, full.repository)
        objects = dict.fromkeys(
            named_objects(
                manifest,
                repository_bucket=full.s3.bucket if full.s3 is not None else "",
                artifacts=full.named if manifest is full.manifest else None,
            )
        )
        objects |= dict.fromkeys((r.bucket, r.key) for r in logs if r.key)
        row = item.row
        is_right = row is not None and _is_right(row, manifest)
        proof = ProvenVersion(
            clustername=installation.clustername,
            uid=full.uid,
            resource_version=item.resource_version,
            digest=row.digest if is_right and row is not None else "",
            proven_at=datetime.min.replace(tzinfo=UTC),  # the database's clock sets it
            facts=facts_of(full.manifest),
            added=added,
        )
        written = None
        if not is_right:
            written = build_row(
                manifest,
                clustername=installation.clustername,
                instanceid=installation.instanceid,
            )
        return RowWrite(
            row=written,
            expected_digest=row.digest if row is not None else "",
            proof=proof,
            # What the ledger has already is not written again.
            logs=[r for r in logs if item.known.get((r.node_id, r.container)) != r],
            references=[
                LogReference(
                    bucket=bucket, key=key, clustername=installation.clustername, uid=full.uid
                )
                for bucket, key in objects
            ],
        )

    def _write(
        self,
        writes: Sequence[RowWrite],
        who: Mapping[str, Identity],
        logs: Mapping[str, Sequence[LogRecord]],
    ) -> list[WorkflowResult]:
        write_of = {write.proof.uid: write for write in writes}
        results: list[WorkflowResult] = []
        for written in self._write_halving(writes):
            if written.refusal:
                results.append(refuse(who[written.uid], "refused_row", written.refusal))
                continue
            write = write_of[written.uid]
            results.append(
                ArchivedWorkflow(
                    uid=written.uid,
                    wrote_row=write.row is not None,
                    logs=logs[written.uid],
                    new_logs=len(write.logs),
                )
            )
        return results

    def _write_halving(self, writes: Sequence[RowWrite]) -> list[RowWritten]:
        """Write; a batch that the database refuses for its data is halved until the row is found."""
        if not writes:
            return []
        try:
            return list(self._site.archive.write_rows(self._grant, writes))
        except RowRefusedError as error:
            if len(writes) == 1:
                uid = writes[0].proof.uid
                return [RowWritten(uid=uid, digest="", refusal=first_line(error))]
            middle = len(writes) // 2
            return [
                *self._write_halving(writes[:middle]),
                *self._write_halving(writes[middle:]),
            ]


_DELETION_MARKS = ("deletionTimestamp", "deletionGracePeriodSeconds")
_COMPLETED = frozenset(phase.value for phase in WorkflowPhase if phase.is_completed)


def _is_right(row: ArchivedRow, manifest: Mapping[str, Any]) -> bool:
    """Whether the row that stands there holds this workflow and our logs (rule 3 of the proof).

    Its resourceVersion may be higher than the workflow's: when etcd was set back, so were those.
    """
    archived = decode(restore_null(row.workflow))
    # That it is being deleted (by us, and a finalizer holds it) is no reason to write its row anew.
    metadata = {k: v for k, v in manifest["metadata"].items() if k not in _DELETION_MARKS}
    # Compared with the workflow that names our logs: the row must name them too.
    return same_workflow({**manifest, "metadata": metadata}, archived) is None


@contextmanager
def _named(item: _Prepared, results: list[WorkflowResult]) -> Iterator[None]:
    """A workflow that cannot be read is kept and named; the others of its batch go on."""
    try:
        yield
    except ManifestError as error:
        results.append(_refusal(item.full.manifest, "unreadable", first_line(error)))


def refuse(who: Identity | None, reason: str, sentence: str) -> Refusal:
    """Keep this workflow, named as far as its object says who it is."""
    return Refusal(
        uid=who.uid if who is not None else "",
        namespace=who.namespace if who is not None else "",
        name=who.name if who is not None else "",
        reason=reason,
        sentence=sentence,
    )


def _who(body: bytes) -> Identity | None:
    try:
        return identify(body)
    except ManifestError:
        return None


def _refusal(manifest: Mapping[str, Any], reason: str, sentence: str) -> Refusal:
    metadata = manifest["metadata"]
    who = Identity(uid=metadata["uid"], namespace=metadata["namespace"], name=metadata["name"])
    return refuse(who, reason, sentence)
