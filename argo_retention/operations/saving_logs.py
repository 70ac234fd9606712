"""The logs of finished workflows: where each stands, and saving those that Argo should have stored and did not.

Two steps for a batch of workflows, so that intents are committed before any object is put: `survey` looks
(ledger, node, bucket, pod), `save` reads the pod's log and puts it. Every failure is `unsettled`, which
forbids deletion; only positive proof is `lost`.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from argo_retention.core.archive_logs import wants_log
from argo_retention.core.artifact_repositories import ArtifactRepository, S3Location
from argo_retention.core.log_keys import log_key, uid_key
from argo_retention.core.logs import LogRecord, LogSource, LogState
from argo_retention.core.manifests import main_containers, template_of
from argo_retention.core.nodes import LogArtifact, PodNode
from argo_retention.core.pod_names import node_pod_name
from argo_retention.core.ports.cluster import Pod
from argo_retention.core.ports.log_store import LogStore, ObjectHead, PutResult
from argo_retention.errors import ArgoRetentionError, ClusterError, PodLogGoneError
from argo_retention.operations.site import Site

ONE_PUT_LIMIT = 4 * 1024 * 1024  # a longer log goes as a multipart stream; 32 of these are 128 MiB
REFUSAL_PREFIX = b"unable to retrieve container logs for "
REFUSAL_MAX = 1024

METADATA_UID = "argo-retention-uid"
METADATA_NODE = "argo-retention-node"
METADATA_CONTAINER = "argo-retention-container"
METADATA_SHA256 = "argo-retention-sha256"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullWorkflow:
    """A finished workflow made whole, with its repository as it resolves for its logs."""

    manifest: Mapping[str, Any]
    uid: str
    namespace: str
    name: str
    repository: ArtifactRepository | None
    nodes: tuple[PodNode, ...]
    artifacts: Mapping[tuple[str, str], LogArtifact]  # (node id, container) → its log artifact
    save: str  # "argo", "all" or "none": logs.save of its rule or of the cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTask:
    """One log that is to be read from its pod and put under `record.key`; `record` is the intent."""

    workflow: FullWorkflow
    node: PodNode
    pod: Pod
    location: S3Location
    record: LogRecord


class LogSaver:
    """Surveys and saves logs of one site; safe to call from many threads."""

    def __init__(self, site: Site, *, clustername: str, run_id: str) -> None:
        """Nothing is read yet."""
        self._site = site
        self._clustername = clustername
        self._run_id = run_id

    # -- looking -----------------------------------------------------------------------------------------

    def survey(
        self, workflow: FullWorkflow, known: Mapping[tuple[str, str], LogRecord]
    ) -> list[LogRecord | LogTask]:
        """Each log of each pod node: its record where it is settled or in doubt, a task where it is to save."""
        found: list[LogRecord | LogTask] = []
        for node in workflow.nodes:
            containers = self._containers(workflow, node)
            pods = _OncePod(self._site, workflow, node)
            for container in containers:
                record = known.get((node.id, container))
                if record is not None and record.state.is_settled:
                    found.append(record)
                else:
                    found.append(self._look(workflow, node, container, record, pods))
        return found

    def _containers(self, workflow: FullWorkflow, node: PodNode) -> list[str]:
        """Main containers of the node's template; none where the template has no log."""
        template = template_of(workflow.manifest, node)
        named = [container for node_id, container in workflow.artifacts if node_id == node.id]
        if template is None:
            return named or ["main"]
        return list(dict.fromkeys([*main_containers(template), *named]))

    def _look(
        self,
        workflow: FullWorkflow,
        node: PodNode,
        container: str,
        known: LogRecord | None,
        pods: "_OncePod",
    ) -> LogRecord | LogTask:
        blank = LogRecord(
            clustername=self._clustername,
            uid=workflow.uid,
            namespace=workflow.namespace,
            workflow=workflow.name,
            node_id=node.id,
            container=container,
            state=LogState.UNSETTLED,
            reason="",
            run_id=self._run_id,
        )
        try:
            return self._decide(workflow, node, blank, known, pods)
        except ArgoRetentionError as error:
            return replace(blank, reason=_first_line(error))

    def _decide(
        self,
        workflow: FullWorkflow,
        node: PodNode,
        blank: LogRecord,
        known: LogRecord | None,
        pods: "_OncePod",
    ) -> LogRecord | LogTask:
        if node.memoized:
            return _lost(blank, "memoized: the node ran no pod of its own")
        artifact = workflow.artifacts.get((node.id, blank.container))
        if artifact is not None and artifact.deleted:
            return _lost(blank, "deleted by Argo's artifact GC")
        repository = workflow.repository
        if artifact is not None:
            stored = self._stored_by_argo(workflow, node, blank, artifact)
            if stored is not None:
                return stored
        if known is not None and known.state is LogState.INTENDED:
            adopted = self._adopted(workflow, known)
            if adopted is not None:
                return adopted
        template = template_of(workflow.manifest, node)
        if workflow.save == "none":
            return replace(blank, state=LogState.NOT_WANTED, reason="logs.save is none")
        if workflow.save == "argo" and artifact is None and not wants_log(
            workflow.manifest, template, repository
        ):
            return replace(blank, state=LogState.NOT_WANTED, reason="archiveLogs is off")
        if repository is None:
            reason = "no artifact repository is configured, so there is nowhere to store it"
            return replace(blank, state=LogState.NOT_WANTED, reason=reason)
        if repository.s3 is None:
            return replace(blank, reason=f"its repository is {repository.kind}; only s3 is supported")
        return self._from_pod(workflow, node, blank, repository, template, pods)

    def _stored_by_argo(
        self, workflow: FullWorkflow, node: PodNode, blank: LogRecord, artifact: LogArtifact
    ) -> LogRecord | None:
        """The object of Argo's executor, if it is there and not older than the node; else None."""
        location = _location(workflow, artifact.bucket)
        if location is None:
            return replace(blank, reason="the bucket of its log artifact is not known")
        store = self._store(location, workflow)
        head = store.head(artifact.key)
        if head is None or _is_before(head.last_modified, node.started_at):
            return None
        return replace(
            blank,
            state=LogState.STORED,
            source=LogSource.ARGO,
            bucket=store.bucket,
            key=artifact.key,
            size=head.size,
            etag=head.etag,
        )

    def _adopted(self, workflow: FullWorkflow, intent: LogRecord) -> LogRecord | None:
        """An object that an earlier run put before it could record it."""
        location = _location(workflow, intent.bucket)
        if location is None:
            return None
        head = self._store(location, workflow).head(intent.key)
        return _as_stored(intent, head) if head is not None and _is_ours(head, intent) else None

    def _from_pod(
        self,
        workflow: FullWorkflow,
        node: PodNode,
        blank: LogRecord,
        repository: ArtifactRepository,
        template: Mapping[str, Any] | None,
        pods: "_OncePod",
    ) -> LogRecord | LogTask:
        pod = pods.get()
        if pod is None:
            return _lost(blank, f"pod {pods.name} is gone")
        if workflow.uid not in pod.workflow_uids or (pod.node_id and pod.node_id != node.id):
            return _lost(blank, f"pod {pod.name} is another one of the same name (uid {pod.uid})")
        container = pod.containers.get(blank.container)
        doubt = _container_doubt(pod, blank.container)
        if container is None or container.state == "waiting":
            if pod.phase in {"Succeeded", "Failed", "Pending"} or not pod.containers:
                return _lost(blank, f"container {blank.container} never started")
            return replace(blank, reason=doubt)
        if container.state == "running":
            return replace(blank, reason=doubt)
        if container.reason == "ContainerStatusUnknown":
            return _lost(blank, f"the runtime no longer knows container {blank.container}")
        key = log_key(
            workflow.manifest,
            node,
            template,
            container=blank.container,
            repository=repository,
            pod_name=pod.name,
        )
        location = _location(workflow, key.bucket)
        if location is None:
            return replace(blank, reason=f"bucket {key.bucket} is not the repository's")
        record = replace(
            blank,
            state=LogState.INTENDED,
            source=LogSource.OURS,
            bucket=key.bucket,
            key=key.key,
            reason="about to be saved",
        )
        return LogTask(workflow=workflow, node=node, pod=pod, location=location, record=record)

    # -- saving ------------------------------------------------------------------------------------------

    def save(self, task: LogTask) -> LogRecord:
        """Read the pod's log and put it; never raises but on an interruption."""
        try:
            return self._save(task)
        except PodLogGoneError:
            return self._gone(task)
        except ArgoRetentionError as error:
            return replace(task.record, state=LogState.UNSETTLED, reason=_first_line(error))

    def _save(self, task: LogTask) -> LogRecord:
        record = task.record
        store = self._store(task.location, task.workflow)
        with self._site.cluster.open_pod_log(
            namespace=task.pod.namespace, pod=task.pod.name, container=record.container
        ) as chunks:
            head, is_whole = _read_up_to(chunks, ONE_PUT_LIMIT)
            if is_whole and _is_refusal(head):
                reason = "the runtime answered with a refusal instead of the log"
                return replace(record, state=LogState.UNSETTLED, reason=reason)
            if not is_whole:
                record = self._under_uid_key(task)
                put = store.put_stream(
                    record.key, chain([head], chunks), metadata=_metadata(record, "")
                )
                return _as_put(record, put)
        sha256 = hashlib.sha256(head).hexdigest()
        for attempt in (record, self._under_uid_key(task)):
            put = store.put_if_absent(attempt.key, head, metadata=_metadata(attempt, sha256))
            if put.created:
                return _as_put(attempt, put)
            taken = store.head(attempt.key)
            if taken is not None and _is_ours(taken, attempt):
                return _as_stored(attempt, taken)
        reason = f"{record.bucket}/{record.key} is taken by somebody else, and so is the key with the uid"
        return replace(record, state=LogState.UNSETTLED, reason=reason)

    def _under_uid_key(self, task: LogTask) -> LogRecord:
        key = uid_key(
            workflow_name=task.workflow.name,
            uid=task.workflow.uid,
            pod_name=task.pod.name,
            container=task.record.container,
        )
        return replace(task.record, key=key)

    def _gone(self, task: LogTask) -> LogRecord:
        """404 for the log: lost only when the pod is gone too or is another one."""
        try:
            pod = self._site.cluster.get_pod(namespace=task.pod.namespace, name=task.pod.name)
        except ClusterError as error:
            return replace(task.record, state=LogState.UNSETTLED, reason=_first_line(error))
        if pod is None or pod.uid != task.pod.uid:
            return _lost(task.record, f"pod {task.pod.name} went while its log was asked for")
        reason = f"pod {task.pod.name} is there, its log answers 404"
        return replace(task.record, state=LogState.UNSETTLED, reason=reason)

    def _store(self, location: S3Location, workflow: FullWorkflow) -> LogStore:
        return self._site.log_stores.of(location, namespace=workflow.namespace)


class _OncePod:
    """The pod of one node, asked for once for all of its containers."""

    def __init__(self, site: Site, workflow: FullWorkflow, node: PodNode) -> None:
        self._site = site
        self._namespace = workflow.namespace
        self.name = node_pod_name(workflow.manifest, node)
        self._asked = False
        self._pod: Pod | None = None

    def get(self) -> Pod | None:
        if not self._asked:
            self._pod = self._site.cluster.get_pod(namespace=self._namespace, name=self.name)
            self._asked = True
        return self._pod


def _container_doubt(pod: Pod, container: str) -> str:
    state = pod.containers[container].state if container in pod.containers else "without a status"
    return f"container {container} of pod {pod.name} is {state}"


def _location(workflow: FullWorkflow, bucket: str | None) -> S3Location | None:
    """The repository's place with this bucket; None where the repository is not S3."""
    repository = workflow.repository
    if repository is None or repository.s3 is None:
        return None
    if not bucket or bucket == repository.s3.bucket:
        return repository.s3
    return replace(repository.s3, bucket=bucket)


def _is_before(moment: datetime, start: datetime | None) -> bool:
    return start is not None and moment < start


def _is_ours(head: ObjectHead, record: LogRecord) -> bool:
    return (
        head.metadata.get(METADATA_UID) == record.uid
        and head.metadata.get(METADATA_NODE) == record.node_id
        and head.metadata.get(METADATA_CONTAINER) == record.container
    )


def _metadata(record: LogRecord, sha256: str) -> dict[str, str]:
    metadata = {
        METADATA_UID: record.uid,
        METADATA_NODE: record.node_id,
        METADATA_CONTAINER: record.container,
    }
    return {**metadata, METADATA_SHA256: sha256} if sha256 else metadata


def _as_put(record: LogRecord, put: PutResult) -> LogRecord:
    return replace(
        record,
        state=LogState.STORED,
        reason="",
        size=put.size,
        sha256=put.sha256,
        etag=put.etag,
    )


def _as_stored(record: LogRecord, head: ObjectHead) -> LogRecord:
    return replace(
        record,
        state=LogState.STORED,
        reason="",
        size=head.size,
        sha256=head.metadata.get(METADATA_SHA256),
        etag=head.etag,
    )


def _lost(record: LogRecord, reason: str) -> LogRecord:
    return replace(
        record, state=LogState.LOST, reason=reason, source=LogSource.NONE, bucket="", key=""
    )


def _read_up_to(chunks: Iterator[bytes], limit: int) -> tuple[bytes, bool]:
    """The beginning of a stream, and whether that is all of it."""
    parts: list[bytes] = []
    size = 0
    for chunk in chunks:
        parts.append(chunk)
        size += len(chunk)
        if size > limit:
            return b"".join(parts), False
    return b"".join(parts), True


def _is_refusal(body: bytes) -> bool:
    """A kubelet answers 200 with this one line when the runtime no longer has the log."""
    return len(body) <= REFUSAL_MAX and body.startswith(REFUSAL_PREFIX)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
