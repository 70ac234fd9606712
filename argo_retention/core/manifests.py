"""What a Workflow object says, read once and by Argo's rules; nothing here looks at the cluster.

The object stays a plain dict as the API gave it, because it must go into the archive unchanged.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from argo_retention.core import labels
from argo_retention.core.config_maps import found
from argo_retention.core.phases import NodeType, WorkflowPhase
from argo_retention.errors import ManifestError

Manifest = dict[str, Any]

# Fractions stay decimal, so that what is read is written again digit by digit.
_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number")

_DELETES_AT_DELETION = {"OnWorkflowDeletion", "OnWorkflowCompletion"}


def decode(data: bytes | str) -> Manifest:
    """Decode the JSON object of a Workflow or archive row; ManifestError when it is none."""
    try:
        return _decoder.decode(data)
    # RecursionError: nested deeper than Python can follow, which Go can.
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ManifestError(f"a Workflow's JSON cannot be decoded: {error}") from error


def encode(manifest: Mapping[str, Any]) -> bytes:
    """Encode to JSON as UTF-8; ManifestError for text that is not Unicode (half a surrogate pair)."""
    try:
        return _encoder.encode(manifest)
    except UnicodeEncodeError as error:
        raise ManifestError(f"a Workflow cannot be written as JSON: {error}") from error


def parse_time(text: str | None, *, what: str) -> datetime | None:
    """Read RFC 3339 as UTC; absent and Go's zero time (year 1) are None.

    Raises ManifestError that names `what`.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise ManifestError(f"{what} is {text!r}, expected an RFC 3339 time") from error
    if moment.tzinfo is None:
        raise ManifestError(f"{what} is {text!r}, expected an RFC 3339 time with its zone")
    if moment.year <= 1:
        return None
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def describe(workflow: Mapping[str, Any]) -> str:
    """namespace/name of a workflow, for messages."""
    metadata = section(workflow, "metadata")
    return f"workflow {metadata.get('namespace', '?')}/{metadata.get('name', '?')}"


def section(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the map under a key, empty when absent or null; ManifestError when it is something else."""
    value = parent.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ManifestError(f"{key} is {found(value)}, expected a map")
    return value


def entries(parent: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the maps of the list under a key, none when absent or null; ManifestError otherwise."""
    value = parent.get(key)
    if value is None:
        return
    if not isinstance(value, list):
        raise ManifestError(f"{key} is {found(value)}, expected a list")
    for entry in value:
        if not isinstance(entry, dict):
            raise ManifestError(f"{key} holds {found(entry)}, expected maps")
        yield entry


def executed_spec(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec that ran: `status.storedWorkflowTemplateSpec` where present, else `spec`."""
    stored = section(section(workflow, "status"), "storedWorkflowTemplateSpec")
    return stored or section(workflow, "spec")


class Templates:
    """The templates of one workflow, to look up those of its nodes."""

    def __init__(self, workflow: Mapping[str, Any]) -> None:
        """Raises ManifestError where the executed spec's templates are no list of maps."""
        self._stored = section(section(workflow, "status"), "storedTemplates")
        self._named: dict[object, Mapping[str, Any]] = {}
        for template in entries(executed_spec(workflow), "templates"):
            self._named.setdefault(template.get("name"), template)

    def of(self, node: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Return the template that a node ran, None when the object does not hold it.

        Looked up as Argo does: by `templateRef`, else by `templateName` among the stored templates of the
        node's scope (a template of another object), else in the executed spec.
        """
        reference = section(node, "templateRef")
        if reference:
            scope = "cluster" if reference.get("clusterScope") else "namespaced"
            return self._stored.get(f"{scope}/{reference.get('name')}/{reference.get('template')}")
        name = node.get("templateName") or ""
        if self._stored:
            scoped = section(self._stored, f"{node.get('templateScope', '')}/{name}")
            if scoped:
                return scoped
        return self._named.get(name)


def template_of(
    workflow: Mapping[str, Any], node: Mapping[str, Any], /
) -> Mapping[str, Any] | None:
    """As `Templates.of`, for one node."""
    return Templates(workflow).of(node)


def template_name(node: Mapping[str, Any]) -> str:
    """Name of the template that a node ran, `templateRef.template` where it came from another object."""
    return str(node.get("templateName") or section(node, "templateRef").get("template") or "")


def main_containers(template: Mapping[str, Any] | None) -> tuple[str, ...]:
    """Names of the containers whose logs Argo archives: `main`, or every one of a containerSet."""
    names = tuple(
        str(container.get("name") or "main")
        for container in entries(section(template or {}, "containerSet"), "containers")
    )
    return names or ("main",)


def phase_of(workflow: Mapping[str, Any]) -> str:
    """`status.phase`, empty before the controller has seen the workflow."""
    return str(section(workflow, "status").get("phase") or "")


def finished_at(workflow: Mapping[str, Any]) -> datetime | None:
    """`status.finishedAt` in UTC; None where absent or year 1."""
    return parse_time(section(workflow, "status").get("finishedAt"), what="status.finishedAt")


def effective_ttl_seconds(workflow: Mapping[str, Any]) -> int | None:
    """Seconds after the finish at which Argo's ttlStrategy deletes it; None: never. 0 is a value.

    `spec.ttlStrategy` wins as a whole over that of the stored template spec.
    """
    stored = section(section(workflow, "status"), "storedWorkflowTemplateSpec")
    own = section(workflow, "spec").get("ttlStrategy")
    strategy = section(
        {"ttlStrategy": own if own is not None else stored.get("ttlStrategy")}, "ttlStrategy"
    )
    phase = phase_of(workflow)
    if phase in {WorkflowPhase.FAILED, WorkflowPhase.ERROR}:
        keys = ("secondsAfterFailure", "secondsAfterCompletion")
    elif phase == WorkflowPhase.SUCCEEDED:
        keys = ("secondsAfterSuccess", "secondsAfterCompletion")
    else:
        return None
    for key in keys:
        seconds = strategy.get(key)
        if seconds is None:
            continue
        if not isinstance(seconds, int) or isinstance(seconds, bool):
            raise ManifestError(
                f"{describe(workflow)}: ttlStrategy.{key} is {seconds!r}, expected a number of seconds"
            )
        return seconds
    return None


def template_name_of(workflow: Mapping[str, Any]) -> str:
    """Name of the WorkflowTemplate, ClusterWorkflowTemplate or CronWorkflow it came from, or ""."""
    reference = section(section(workflow, "spec"), "workflowTemplateRef").get("name")
    if reference:
        return str(reference)
    own = section(section(workflow, "metadata"), "labels")
    for label in (
        labels.WORKFLOW_TEMPLATE,
        labels.CLUSTER_WORKFLOW_TEMPLATE,
        labels.CRON_WORKFLOW,
    ):
        if own.get(label):
            return str(own[label])
    return ""


def artifact_gc_deletes_logs(workflow: Mapping[str, Any]) -> bool:
    """Whether our DELETE would make Argo delete stored logs; the node status must be whole.

    True where the finalizer stands and a log artifact of a Pod node is left whose strategy (its own, else the
    workflow's) deletes it: OnWorkflowDeletion, or OnWorkflowCompletion that Argo has not done yet.
    """
    if labels.ARTIFACT_GC_FINALIZER not in (section(workflow, "metadata").get("finalizers") or ()):
        return False
    status = section(workflow, "status")
    done = section(section(status, "artifactGCStatus"), "strategiesProcessed")
    pending = {strategy for strategy in _DELETES_AT_DELETION if not done.get(strategy)}
    of_workflow = {
        section(spec, "artifactGC").get("strategy")
        for spec in (section(workflow, "spec"), executed_spec(workflow))
    }
    for node in section(status, "nodes").values():
        if node.get("type") != NodeType.POD:
            continue
        for artifact in entries(section(node, "outputs"), "artifacts"):
            if not str(artifact.get("name", "")).endswith("-logs") or artifact.get("deleted"):
                continue
            own = section(artifact, "artifactGC").get("strategy")
            if pending & ({own} if own else of_workflow):
                return True
    return False
