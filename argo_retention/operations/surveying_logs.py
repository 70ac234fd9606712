"""Where each log of a finished workflow stands: by the ledger, the node, the bucket and the pod.

Every failure is `unsettled`, which forbids deletion; only positive proof is `lost`.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from msgspec import structs

from argo_retention.core.archive_logs import has_log, wants_log
from argo_retention.core.artifact_repositories import own_location
from argo_retention.core.log_keys import log_key, uid_key
from argo_retention.core.log_references import artifact_location
from argo_retention.core.logs import LogRecord, LogSource, LogState
from argo_retention.core.manifests import Templates, main_containers
from argo_retention.core.nodes import LogArtifact, PodNode
from argo_retention.core.pod_names import PodNameVersion, pod_name, pod_name_version
from argo_retention.core.ports.cluster import ContainerState, Pod
from argo_retention.errors import ArgoRetentionError
from argo_retention.operations.log_tasks import (
    FullWorkflow,
    LogTask,
    as_stored,
    first_line,
    is_ours,
    lost,
    unsettled,
)
from argo_retention.operations.site import Site

NODES_BEFORE_LIST = 3
LONGEST_LABEL = 63
STATUS_UNKNOWN = "ContainerStatusUnknown"  # the kubelet lost the container, and its log with it


class LogSurvey:
    """Looks at the logs of one site's workflows; safe to call from many threads."""

    def __init__(self, site: Site) -> None:
        """Nothing is read yet."""
        self._site = site

    def survey(
        self, workflow: FullWorkflow, known: Mapping[tuple[str, str], LogRecord]
    ) -> list[LogRecord | LogTask]:
        """Each log of each pod node: its record where it is settled or in doubt, a task where it is to save.

        `known` is what the ledger has: (node id, container) → record.
        """
        found: list[LogRecord | LogTask] = []
        logs = list(_logs_of(workflow, known))
        listed = _ListedPods(self._site, workflow, nodes={log.node.id for log in logs})
        pods: dict[str, _OncePod] = {}
        for log in logs:
            if log.known is not None and log.known.state.is_settled:
                found.append(log.known)
                continue
            blank = self._blank(workflow, log)
            pod = pods.setdefault(log.node.id, _OncePod(listed, workflow, log.node))
            try:
                found.append(self._look(workflow, log, blank, pod))
            except ArgoRetentionError as error:
                found.append(unsettled(blank, first_line(error)))
        return found

    def at_hand(
        self, workflow: FullWorkflow, known: Mapping[tuple[str, str], LogRecord]
    ) -> list[LogRecord | LogTask] | None:
        """What `survey` would say where ledger and nodes say all; None where bucket or pods must be asked."""
        found: list[LogRecord | LogTask] = []
        for log in _logs_of(workflow, known):
            verdict = log.known
            if verdict is None or not verdict.state.is_settled:
                verdict = self._by_node(workflow, log)
            if verdict is None:
                return None
            found.append(verdict)
        return found

    def _blank(self, workflow: FullWorkflow, log: "_Log") -> LogRecord:
        return LogRecord(
            clustername=self._site.installation.clustername,
            uid=workflow.uid,
            namespace=workflow.namespace,
            workflow=workflow.name,
            node_id=log.node.id,
            container=log.container,
            state=LogState.UNSETTLED,
            reason="",
            run_id=self._site.run_id,
        )

    def _by_node(self, workflow: FullWorkflow, log: "_Log") -> LogRecord | None:
        """What its node says without a question to anybody; None where that does not settle it."""
        artifact = workflow.artifacts.get((log.node.id, log.container))
        if log.node.memoized:
            blank = self._blank(workflow, log)
            return lost(blank, "memoized: the node ran no pod of its own")
        if artifact is not None and artifact.deleted:
            return lost(self._blank(workflow, log), "deleted by Argo's artifact GC")
        if artifact is not None or (log.known is not None and log.known.state is LogState.INTENDED):
            return None  # there may be an object
        return self._not_wanted(workflow, log)

    def _not_wanted(self, workflow: FullWorkflow, log: "_Log") -> LogRecord | None:
        reason = ""
        if workflow.save == "none":
            reason = "logs.save is none"
        elif (log.node.id, log.container) in workflow.artifacts:
            return None  # it was wanted
        elif not _is_wanted(workflow, log.template):
            reason = "archiveLogs is off"
        elif not _has_a_place(workflow, log.template):
            reason = "no artifact repository is configured, so there is nowhere to store it"
        if not reason:
            return None
        return structs.replace(self._blank(workflow, log), state=LogState.NOT_WANTED, reason=reason)

    def _look(
        self, workflow: FullWorkflow, log: "_Log", blank: LogRecord, pods: "_OncePod"
    ) -> LogRecord | LogTask:
        verdict = self._by_node(workflow, log)
        if verdict is not None:
            return verdict
        artifact = workflow.artifacts.get((log.node.id, log.container))
        if artifact is not None:
            stored = self._stored_by_argo(workflow, log.node, blank, artifact)
            if stored is not None:
                return stored
        if log.known is not None and log.known.state is LogState.INTENDED:
            adopted = self._adopted(workflow, log, log.known, pods)
            if adopted is not None:
                return adopted
        verdict = self._not_wanted(workflow, log)
        if verdict is not None:
            return verdict
        return self._from_pod(workflow, log.node, log.template, blank, pods)

    def _stored_by_argo(
        self, workflow: FullWorkflow, node: PodNode, blank: LogRecord, artifact: LogArtifact
    ) -> LogRecord | None:
        """The object of Argo's executor, if it is there and not older than the node; else None."""
        location = artifact_location(workflow.manifest, artifact, workflow.s3)
        if location is None:
            return unsettled(
                blank, f"its artifact {artifact.key} is in no S3 repository that is known"
            )
        if artifact.bucket:
            location = replace(location, bucket=artifact.bucket)
        store = self._site.log_stores.of(location, namespace=workflow.namespace)
        head = store.head(artifact.key)
        if head is None or _is_before(head.last_modified, node.started_at):
            return None
        return structs.replace(
            blank,
            state=LogState.STORED,
            source=LogSource.ARGO,
            bucket=store.bucket,
            key=artifact.key,
            size=head.size,
            etag=head.etag,
        )

    def _adopted(
        self, workflow: FullWorkflow, log: "_Log", intent: LogRecord, pods: "_OncePod"
    ) -> LogRecord | None:
        """An object that a run put before it could record it: under Argo's key, or one with the uid."""
        own = own_location(log.template)
        location = own.s3 if own is not None and own.s3 is not None else workflow.s3
        if location is None:
            return None
        store = self._site.log_stores.of(
            replace(location, bucket=intent.bucket), namespace=workflow.namespace
        )
        with_uid = (
            uid_key(
                workflow=workflow.manifest,
                key_prefix=location.key_prefix,
                pod_name=name,
                container=intent.container,
            )
            for name in pods.names
        )
        for key in dict.fromkeys((intent.key, *with_uid)):
            head = store.head(key)
            if head is not None and is_ours(head, intent):
                return as_stored(structs.replace(intent, key=key), head)
        return None

    def _from_pod(
        self,
        workflow: FullWorkflow,
        node: PodNode,
        template: Mapping[str, Any] | None,
        blank: LogRecord,
        pods: "_OncePod",
    ) -> LogRecord | LogTask:
        pod = pods.get()
        if pod is None:
            return lost(blank, f"pod {' or '.join(pods.names)} is gone")
        if workflow.uid not in pod.workflow_uids or pod.node_id not in {"", node.id}:
            return lost(blank, f"pod {pod.name} is another one of the same name (uid {pod.uid})")
        container = pod.containers.get(blank.container)
        verdict = _judge_container(blank, pod, container)
        if verdict is not None:
            return verdict
        key = log_key(
            workflow=workflow.manifest,
            node=node.raw,
            template=template,
            container=blank.container,
            repository=workflow.repository,
            pod_name=pod.name,
        )
        intent = structs.replace(
            blank,
            state=LogState.INTENDED,
            source=LogSource.OURS,
            bucket=key.bucket,
            key=key.key,
            reason="about to be saved",
        )
        return LogTask(workflow=workflow, pod=pod, location=key.location, record=intent)


class _Log(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One log that a workflow may have, with what the ledger has of it."""

    node: PodNode
    template: Mapping[str, Any] | None
    container: str
    known: LogRecord | None


def _logs_of(workflow: FullWorkflow, known: Mapping[tuple[str, str], LogRecord]) -> Iterator[_Log]:
    templates = Templates(workflow.manifest)
    named: dict[str, list[str]] = defaultdict(list)
    for node_id, container in workflow.artifacts:
        named[node_id].append(container)
    for node in workflow.nodes:
        template = templates.of(node.raw)
        for container in _containers(template, named.get(node.id, ())):
            record = known.get((node.id, container))
            yield _Log(node=node, template=template, container=container, known=record)


class _ListedPods:
    """Pods of one workflow: of many nodes they are listed by its label, so that each need not be asked for.

    A list shows what is there. That a pod is gone is said only by the answer to its own name.
    """

    def __init__(self, site: Site, workflow: FullWorkflow, nodes: AbstractSet[str]) -> None:
        self._cluster = site.cluster
        self._namespace, self._workflow = workflow.namespace, workflow.name
        may_list = len(nodes) >= NODES_BEFORE_LIST and len(workflow.name) <= LONGEST_LABEL
        self._listed: Mapping[str, Pod] | None = None if may_list else {}

    def get(self, name: str) -> Pod | None:
        """The pod of this name; None where there is none."""
        if self._listed is None:
            pods = self._cluster.pods_of(namespace=self._namespace, workflow=self._workflow)
            self._listed = {pod.name: pod for pod in pods}
        return self._listed.get(name) or self._cluster.get_pod(namespace=self._namespace, name=name)


class _OncePod:
    """The pod of one node, asked for once for all of its containers."""

    def __init__(self, pods: _ListedPods, workflow: FullWorkflow, node: PodNode) -> None:
        self._pods = pods
        # Without an annotation only the controller knows which form it used: both are looked for.
        versions = [
            pod_name_version(workflow.manifest, default=default)
            for default in (PodNameVersion.V2, PodNameVersion.V1)
        ]
        self.names = tuple(
            dict.fromkeys(
                pod_name(workflow_name=workflow.name, node=node, version=version)
                for version in versions
            )
        )
        self._asked = False
        self._pod: Pod | None = None

    def get(self) -> Pod | None:
        if not self._asked:
            asked = (self._pods.get(name) for name in self.names)
            self._pod = next((pod for pod in asked if pod is not None), None)
            self._asked = True
        return self._pod


def _containers(template: Mapping[str, Any] | None, named: Sequence[str]) -> list[str]:
    """Containers that may have a log: those of the template, and those that an artifact names."""
    own = list(main_containers(template)) if has_log(template) else []
    return list(dict.fromkeys([*own, *named]))


def _is_wanted(workflow: FullWorkflow, template: Mapping[str, Any] | None) -> bool:
    return workflow.save == "all" or wants_log(workflow.manifest, template, workflow.repository)


def _has_a_place(workflow: FullWorkflow, template: Mapping[str, Any] | None) -> bool:
    repository = workflow.repository
    return own_location(template) is not None or (repository is not None and bool(repository.kind))


def _judge_container(
    blank: LogRecord, pod: Pod, container: ContainerState | None
) -> LogRecord | None:
    """What the container's state says of its log; None where the log can be asked for."""
    name = blank.container
    if container is None or container.state == "waiting":
        if pod.phase in {"Succeeded", "Failed", "Pending"}:
            return lost(blank, f"container {name} never started")
        state = "waiting" if container is not None else "without a status"
        return unsettled(blank, f"container {name} of pod {pod.name} is {state}")
    if container.state == "running":
        return unsettled(blank, f"container {name} of pod {pod.name} is still running")
    if container.reason == STATUS_UNKNOWN:
        return lost(blank, f"the runtime no longer knows container {name} of pod {pod.name}")
    return None


def _is_before(moment: datetime, start: datetime | None) -> bool:
    return start is not None and moment < start
