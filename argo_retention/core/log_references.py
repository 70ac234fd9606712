"""Which log objects a workflow names in its nodes: the entries of `log_references`."""

from collections.abc import Iterator, Mapping
from typing import Any

from argo_retention.core.artifact_repositories import S3Location, own_location, parse_repository
from argo_retention.core.manifests import Templates, section, template_of
from argo_retention.core.nodes import LogArtifact, log_artifacts


def named_objects(workflow: Mapping[str, Any], *, default_bucket: str) -> Iterator[tuple[str, str]]:
    """Yield (bucket, key) of every `*-logs` artifact of every node, of any type; whole node status.

    `default_bucket` counts where neither artifact, template nor status.artifactRepositoryRef names one.
    """
    bucket = _repository_bucket(workflow) or default_bucket
    templates = Templates(workflow)
    buckets: dict[int, str] = {}  # id of a template → bucket of its own location
    seen: set[tuple[str, str]] = set()
    for artifact in log_artifacts(workflow):
        template = templates.of(_node(workflow, artifact))
        if id(template) not in buckets:
            own = own_location(template)
            buckets[id(template)] = own.s3.bucket if own is not None and own.s3 is not None else ""
        place = (artifact.bucket or buckets[id(template)] or bucket, artifact.key)
        if place not in seen:
            seen.add(place)
            yield place


def artifact_location(
    workflow: Mapping[str, Any], artifact: LogArtifact, repository: S3Location | None
) -> S3Location | None:
    """Where an artifact lies: the template's own location if that is complete, else the repository's.

    The artifact's own `s3.bucket`, where it has one, is the caller's to apply.
    """
    own = own_location(template_of(workflow, _node(workflow, artifact)))
    return own.s3 if own is not None and own.s3 is not None else repository


def _node(workflow: Mapping[str, Any], artifact: LogArtifact) -> Mapping[str, Any]:
    return section(section(section(workflow, "status"), "nodes"), artifact.node_id)


def _repository_bucket(workflow: Mapping[str, Any]) -> str:
    recorded = section(section(workflow, "status"), "artifactRepositoryRef")
    resolved = section(recorded, "artifactRepository")
    if not resolved:
        return ""
    s3 = parse_repository(resolved, source="status.artifactRepositoryRef").s3
    return s3.bucket if s3 is not None else ""
