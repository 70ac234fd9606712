"""The S3 key of a pod's log, as Argo's controller and executor make it, and our own form for collisions.

Argo substitutes many variables while a workflow runs, and some cannot be known afterwards. What we cannot
resolve gets a key that contains the uid; a key never contains `{{`.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from argo_retention.core import labels
from argo_retention.core.artifact_repositories import (
    ArtifactRepository,
    S3Location,
    own_location,
)
from argo_retention.core.manifests import (
    describe,
    entries,
    executed_spec,
    parse_time,
    section,
)
from argo_retention.errors import ConfigurationError

DEFAULT_KEY_FORMAT = "{{workflow.name}}/{{pod.name}}"

_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
# Only the numeric ones: names of months and days depend on the locale.
_STRFTIME = "dHIjmMSYy"
# The controller changes these labels after the pods have started, so their value then is not known.
_MOVING_LABELS = frozenset({labels.COMPLETED, labels.PHASE, labels.ARCHIVING_STATUS})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """Where the log of one container belongs."""

    bucket: str
    key: str
    has_uid: bool  # the key contains the workflow's uid, so no other workflow can share it
    location: S3Location  # how to reach the bucket


def log_key(
    *,
    workflow: Mapping[str, Any],
    node: Mapping[str, Any],
    template: Mapping[str, Any] | None,
    container: str,
    repository: ArtifactRepository | None,
    pod_name: str,
) -> LogKey:
    """Return bucket and key under which Argo's executor stores this log (node and template as Argo has them).

    Raises ConfigurationError where logs do not go to S3.
    """
    own = own_location(template)
    location = own.s3 if own is not None else repository.s3 if repository is not None else None
    if location is None or not location.bucket:
        kind = own.kind if own is not None else repository.kind if repository is not None else ""
        raise ConfigurationError(
            f"{describe(workflow)}: its logs go to {kind or 'no artifact repository'}, expected s3.\n"
            "Set logs.save: none, or give its artifact repository an S3 bucket."
        )
    variables = _variables(workflow, node, pod_name)
    folder = _substitute(own.key if own is not None else key_format(location), variables)
    if folder is None:
        return _with_uid(workflow, location, pod_name, container)
    key = _join(folder, f"{container}.log")
    uid = str(section(workflow, "metadata").get("uid") or "")
    return LogKey(
        bucket=location.bucket, key=key, has_uid=key_contains_uid(key, uid), location=location
    )


def key_format(location: S3Location) -> str:
    """Key format of a bucket; the deprecated keyPrefix counts only where no format is set."""
    return location.key_format or _join(location.key_prefix, DEFAULT_KEY_FORMAT)


def uid_key(*, workflow: Mapping[str, Any], key_prefix: str, pod_name: str, container: str) -> str:
    """Our own form of a key: the default folder, then the uid, then pod and container.

    Used where Argo's key cannot be made or belongs to another workflow; it is the same at every call.
    """
    metadata = section(workflow, "metadata")
    folder = _join(_plain(key_prefix), str(metadata.get("name")), str(metadata.get("uid")))
    return _join(folder, pod_name, f"{container}.log")


def key_contains_uid(key: str, uid: str) -> bool:
    """Whether the key belongs to this uid alone; the uid must stand between separators."""
    return (
        bool(uid)
        and re.search(rf"(?<![0-9A-Za-z]){re.escape(uid)}(?![0-9A-Za-z])", key) is not None
    )


def _with_uid(
    workflow: Mapping[str, Any], location: S3Location, pod_name: str, container: str
) -> LogKey:
    key = uid_key(
        workflow=workflow, key_prefix=location.key_prefix, pod_name=pod_name, container=container
    )
    return LogKey(bucket=location.bucket, key=key, has_uid=True, location=location)


def _plain(prefix: str) -> str:
    return "" if "{{" in prefix else prefix


def _substitute(text: str, variables: Mapping[str, str]) -> str | None:
    """Replace all `{{name}}`; None when one is unknown or braces are left."""
    unknown = False

    def value(tag: re.Match[str]) -> str:
        nonlocal unknown
        found = variables.get(tag[1].strip())
        unknown = unknown or found is None
        return found or ""

    result = _TAG.sub(value, text)
    return None if unknown or "{{" in result else result


def _variables(
    workflow: Mapping[str, Any], node: Mapping[str, Any], pod_name: str
) -> dict[str, str]:
    metadata, spec = section(workflow, "metadata"), executed_spec(workflow)
    variables = {
        "pod.name": pod_name,
        "node.name": node.get("name"),
        "workflow.name": metadata.get("name"),
        "workflow.namespace": metadata.get("namespace"),
        "workflow.uid": metadata.get("uid"),
        "workflow.mainEntrypoint": spec.get("entrypoint"),
        "workflow.serviceAccountName": spec.get("serviceAccountName"),
        "workflow.priority": spec.get("priority"),
    }
    for name, value in section(metadata, "labels").items():
        if name not in _MOVING_LABELS:
            variables[f"workflow.labels.{name}"] = value
    annotations = section(metadata, "annotations")
    variables["workflow.scheduledTime"] = annotations.get(labels.SCHEDULED_TIME)
    for name, value in annotations.items():
        variables[f"workflow.annotations.{name}"] = value
    # Arguments of the workflow override those of its template; a value from a ConfigMap is not known.
    for source in (spec, section(workflow, "spec")):
        for parameter in entries(section(source, "arguments"), "parameters"):
            variables[f"workflow.parameters.{parameter.get('name')}"] = parameter.get("value")
    for parameter in entries(section(node, "inputs"), "parameters"):
        variables[f"inputs.parameters.{parameter.get('name')}"] = parameter.get("value")
    created = parse_time(metadata.get("creationTimestamp"), what="metadata.creationTimestamp")
    if created is not None:
        variables |= _time_variables("workflow.creationTimestamp", created)
    return {name: _text(value) for name, value in variables.items() if value is not None}


def _text(value: object) -> str:
    """Write a value as Go writes it into a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _time_variables(name: str, moment: datetime) -> dict[str, str]:
    rfc3339 = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        name: rfc3339,
        f"{name}.RFC3339": rfc3339,
        f"{name}.s": str(int(moment.timestamp())),
        **{f"{name}.{char}": moment.strftime(f"%{char}") for char in _STRFTIME},
    }


def _join(*parts: str) -> str:
    """Join as Go's path.Join: empty parts are left out, doubled slashes and dots are resolved."""
    cleaned = posixpath.normpath("/".join(part for part in parts if part))
    return cleaned[1:] if cleaned.startswith("//") else cleaned
