"""Which log objects a workflow names in its nodes: the entries of `log_references`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from argo_retention.core.artifact_repositories import S3Location, own_location
from argo_retention.core.manifests import Templates, template_of
from argo_retention.core.nodes import LogArtifact, log_artifacts


def named_objects(
    workflow: Mapping[str, Any],
    *,
    repository_bucket: str,
    artifacts: Iterable[LogArtifact] | None = None,
) -> Iterator[tuple[str, str]]:
    """Yield (bucket, key) of every `*-logs` artifact of every node, of any type; whole node status.

    `repository_bucket` is that of the workflow's repository as it resolves, "" where there is none: it counts
    where neither artifact nor template names a bucket. `artifacts` are those of the workflow where they are
    known already.
    """
    templates = Templates(workflow)
    buckets: dict[int, str] = {}  # id of a template → bucket of its own location
    seen: set[tuple[str, str]] = set()
    for artifact in log_artifacts(workflow) if artifacts is None else artifacts:
        template = templates.of(artifact.node)
        if id(template) not in buckets:
            own = own_location(template)
            buckets[id(template)] = own.s3.bucket if own is not None and own.s3 is not None else ""
        place = (artifact.bucket or buckets[id(template)] or repository_bucket, artifact.key)
        if place not in seen:
            seen.add(place)
            yield place


def artifact_location(
    workflow: Mapping[str, Any], artifact: LogArtifact, repository: S3Location | None
) -> S3Location | None:
    """Where an artifact lies: the template's own location if that is complete, else the repository's.

    The artifact's own `s3.bucket`, where it has one, is the caller's to apply.
    """
    own = own_location(template_of(workflow, artifact.node))
    return own.s3 if own is not None and own.s3 is not None else repository
