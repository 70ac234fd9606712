"""Artifact repositories: where Argo stores the logs of a workflow, and by which key format."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from argo_retention.core import labels
from argo_retention.core.config_maps import Section, parse_section
from argo_retention.core.manifests import decode, describe, encode, executed_spec, section
from argo_retention.core.nodes import pod_nodes
from argo_retention.errors import ConfigurationError, ManifestError

# Where several kinds are set, the first in this order wins, as in Argo.
KINDS = ("artifactory", "azure", "gcs", "hdfs", "oss", "plugin", "s3")

_DEFAULT_CONFIG_MAP = "artifact-repositories"

FindConfigMap = Callable[[str, str], Mapping[str, Any] | None]
"""(namespace, name) → the ConfigMap as the API gives it, None when it is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKey:
    """One key of a Secret, in the namespace of the workflow."""

    name: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Location:
    """A bucket, how to reach it, and how keys are made in it."""

    endpoint: str
    bucket: str
    region: str = ""
    insecure: bool = False  # http instead of https
    key_format: str = ""
    key_prefix: str = ""  # deprecated; stands in front of the default format only
    access_key_secret: SecretKey | None = None
    secret_key_secret: SecretKey | None = None
    session_token_secret: SecretKey | None = None
    use_sdk_creds: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)  # all that Argo's configuration says

    @classmethod
    def from_section(cls, s3: Section) -> "S3Location":
        """Read the map under `s3`; ConfigurationError names the key."""
        return cls(
            endpoint=s3.text("endpoint"),
            bucket=s3.text("bucket"),
            region=s3.text("region"),
            insecure=s3.boolean("insecure") or False,
            key_format=s3.text("keyFormat"),
            key_prefix=s3.text("keyPrefix"),
            access_key_secret=secret_key(s3, "accessKeySecret"),
            secret_key_secret=secret_key(s3, "secretKeySecret"),
            session_token_secret=secret_key(s3, "sessionTokenSecret"),
            use_sdk_creds=s3.boolean("useSDKCreds") or False,
            raw=s3.value,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactRepository:
    """A repository as configured; only S3 is written to and read from by us."""

    kind: str  # one of KINDS, or "" when nothing is configured
    archive_logs: bool | None = None
    s3: S3Location | None = None  # set when kind is "s3"
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLocation:
    """A complete `archiveLocation` of a template: the repository has no say in it."""

    kind: str
    s3: S3Location | None
    key: str  # with variables; "" unless S3


def parse_repository(
    mapping: Mapping[str, Any] | Section, *, source: str = "artifact repository"
) -> ArtifactRepository:
    """Read an artifact repository; ConfigurationError names source and key."""
    repository = mapping if isinstance(mapping, Section) else Section(value=mapping, source=source)
    kind = next((kind for kind in KINDS if repository.value.get(kind) is not None), "")
    s3 = repository.section("s3") if kind == "s3" else None
    return ArtifactRepository(
        kind=kind,
        archive_logs=repository.boolean("archiveLogs"),
        s3=S3Location.from_section(s3) if s3 is not None else None,
        raw=repository.value,
    )


def own_location(template: Mapping[str, Any] | None) -> OwnLocation | None:
    """Return the template's own archiveLocation where it is complete, else None.

    Raises ManifestError where it cannot be read.
    """
    if template is None or template.get("archiveLocation") is None:
        return None  # nearly all; this is asked for each template of each workflow
    location = Section(
        value=section(template, "archiveLocation"), source="template's archiveLocation"
    )
    try:
        for kind in KINDS:
            part = location.section(kind)
            if part is not None and kind != "s3":
                return OwnLocation(kind=kind, s3=None, key="")
            if part is not None:
                s3, key = S3Location.from_section(part), part.text("key")
                complete = s3.endpoint and s3.bucket and key
                return OwnLocation(kind=kind, s3=s3, key=key) if complete else None
    except ConfigurationError as error:
        raise ManifestError(str(error)) from error
    return None


def recorded_repository(workflow: Mapping[str, Any]) -> ArtifactRepository | None:
    """Return what Argo resolved and recorded in `status.artifactRepositoryRef`, None when it did not.

    Raises ManifestError where it cannot be read.
    """
    reference = section(section(workflow, "status"), "artifactRepositoryRef")
    resolved = section(reference, "artifactRepository")
    if not resolved:
        return None
    try:
        return _parsed(encode(resolved))
    except ConfigurationError as error:
        raise ManifestError(f"{describe(workflow)}: {error}") from error


@lru_cache(maxsize=64)
def _parsed(repository: bytes) -> ArtifactRepository:
    """Workflows of one cluster have few repositories among them."""
    return parse_repository(decode(repository), source="artifactRepositoryRef")


def resolve(
    workflow: Mapping[str, Any],
    *,
    controller_repository: ArtifactRepository | None,
    controller_namespace: str,
    find_config_map: FindConfigMap,
) -> ArtifactRepository | None:
    """Return the repository of a workflow, by Argo's order; None where none is configured.

    First what Argo resolved itself (`status.artifactRepositoryRef`), then `spec.artifactRepositoryRef` in the
    workflow's and the controller's namespace, then the default of the workflow's namespace, then the
    controller's own. A named one that is nowhere raises ManifestError where the workflow had pods. A
    ConfigMap that cannot be read raises ConfigurationError.
    """
    recorded = recorded_repository(workflow)
    if recorded is not None:
        return recorded
    namespace = str(section(workflow, "metadata").get("namespace") or "")
    reference = section(executed_spec(workflow), "artifactRepositoryRef")
    if not reference:
        default = _look_up(find_config_map, namespace, _DEFAULT_CONFIG_MAP, "")
        return default if default is not None else controller_repository
    name, key = reference.get("configMap") or _DEFAULT_CONFIG_MAP, reference.get("key") or ""
    for place in (namespace, controller_namespace):
        repository = _look_up(find_config_map, place, name, key)
        if repository is not None:
            return repository
    # Argo ends such a workflow before its first pod, so there is no log whose place we would have to know.
    if next(pod_nodes(workflow), None) is None:
        return None
    raise ManifestError(
        f"{describe(workflow)}: its artifact repository (ConfigMap {name}, key {key or 'default'}) is"
        f" neither in namespace {namespace} nor in {controller_namespace}.\n"
        "Create it there; until then its logs cannot be looked for, and it is not deleted."
    )


def secret_key(parent: Section, key: str) -> SecretKey | None:
    """Read a reference {name, key} to a Secret, None when absent or empty."""
    reference = parent.section(key)
    if reference is None or not reference.value:
        return None
    name, inner = reference.text("name"), reference.text("key")
    if not (name and inner):
        raise parent.error(key, "expected {name, key} of a Secret")
    return SecretKey(name=name, key=inner)


def _look_up(
    find_config_map: FindConfigMap, namespace: str, name: str, key: str
) -> ArtifactRepository | None:
    """Repository under a key of a ConfigMap; without a key the ConfigMap's annotation names it."""
    found = find_config_map(namespace, name)
    if found is None:
        return None
    annotations = section(section(found, "metadata"), "annotations")
    key = key or str(annotations.get(labels.DEFAULT_ARTIFACT_REPOSITORY) or "")
    text = section(found, "data").get(key)
    if text is None:
        return None
    return parse_repository(
        parse_section(text, source=f"ConfigMap {namespace}/{name}", path=(key,))
    )
