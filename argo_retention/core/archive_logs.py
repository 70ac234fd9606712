"""Whether Argo archives the log of a template: its documented truth table, and where that does not hold."""

from collections.abc import Mapping
from typing import Any

from argo_retention.core.artifact_repositories import ArtifactRepository, own_location
from argo_retention.core.manifests import executed_spec, section
from argo_retention.errors import ManifestError

_WITHOUT_LOG = ("data", "http", "plugin", "suspend", "steps", "dag")


def archives_logs(*, repository: bool | None, workflow: bool | None, template: bool | None) -> bool:
    """Argo's truth table: on in the repository wins, else the template's word, else the workflow's."""
    if repository:
        return True
    return bool(workflow if template is None else template)


def has_log(template: Mapping[str, Any] | None) -> bool:
    """Whether nodes of this template run a container whose log can be archived."""
    return not any((template or {}).get(kind) is not None for kind in _WITHOUT_LOG)


def wants_log(
    workflow: Mapping[str, Any],
    template: Mapping[str, Any] | None,
    repository: ArtifactRepository | None,
) -> bool:
    """Whether Argo's rules say that logs of this template are archived.

    A template with a complete archiveLocation of its own decides alone; `data`, HTTP and Plugin templates
    have no log.
    """
    if not has_log(template):
        return False
    own = _flag(section(template or {}, "archiveLocation"))
    if own_location(template) is not None:
        return bool(own)
    return archives_logs(
        repository=repository.archive_logs if repository is not None else None,
        workflow=_flag(executed_spec(workflow)),
        template=own,
    )


def _flag(parent: Mapping[str, Any]) -> bool | None:
    value = parent.get("archiveLogs")
    if value is not None and not isinstance(value, bool):
        raise ManifestError(f"archiveLogs is {value!r}, expected true or false")
    return value
