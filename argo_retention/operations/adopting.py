"""Taking retentionPolicy and archiveTTL over from Argo's ConfigMap; nothing is changed here, only said."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from argo_retention.core.manifests import section
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.yaml_cutting import without_key
from argo_retention.errors import ConfigurationError
from argo_retention.operations.site import Installation

POLICY, PERSISTENCE, TTL, OLD_FORM = "retentionPolicy", "persistence", "archiveTTL", "config"
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_INDENT = "      "
#: Line breaks of YAML that PyYAML would write as they are, and read as something else.
_ODD_BREAKS = "\x85\u2028\u2029"


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What a person does, in this order."""

    cluster: str
    configmap: str  # namespace/name
    settings: str  # block for retention.yaml
    patch: (
        Mapping[str, Any] | None
    )  # merge patch of the ConfigMap; None: there is nothing to take out
    commands: tuple[str, ...]  # kubectl: patch, then restart; empty without a patch
    notes: tuple[str, ...]  # what else to know


def adopt(cluster: Cluster, installation: Installation) -> Adoption:
    """Work out block, patch and restart. Raises ConfigurationError when the ConfigMap has gone."""
    namespace, name = installation.controller_namespace, installation.configmap
    found = cluster.get_object(kind="ConfigMap", namespace=namespace, name=name)
    if found is None:
        raise ConfigurationError(
            f"Cluster {installation.partition}: ConfigMap {namespace}/{name} has just gone.\nRun again."
        )
    changed = _changed(section(found, "data"))
    metadata = section(found, "metadata")
    patch: Mapping[str, Any] | None = None
    commands: tuple[str, ...] = ()
    if changed:
        # With its version, so that a change that somebody made meanwhile is not undone.
        version = {"resourceVersion": str(metadata.get("resourceVersion"))}
        patch = {"metadata": version, "data": changed}
        commands = (_patch_command(namespace, name, patch), *_restarts(installation))
    return Adoption(
        cluster=installation.partition,
        configmap=f"{namespace}/{name}",
        settings=_settings(installation),
        patch=patch,
        commands=commands,
        notes=_notes(installation, metadata) if changed else (),
    )


def _changed(data: Mapping[str, Any]) -> dict[str, str | None]:
    """Keys of `data` with their new text, None for those that go."""
    if OLD_FORM in data:
        text = str(data[OLD_FORM])
        cut = without_key(without_key(text, (POLICY,)), (PERSISTENCE, TTL))
        return {OLD_FORM: cut} if cut != text else {}
    changed: dict[str, str | None] = {}
    if POLICY in data:
        changed[POLICY] = None
    if PERSISTENCE in data:
        text = str(data[PERSISTENCE])
        cut = without_key(text, (TTL,))
        if cut != text:
            changed[PERSISTENCE] = cut
    return changed


def _settings(installation: Installation) -> str:
    argo = installation.argo
    lines = ["clusters:", f"  {installation.partition}:", "    argo:"]
    policy = argo.retention_policy
    if policy is None:
        lines.append(f"{_INDENT}# no retentionPolicy in {argo.source}: Argo deletes by no count")
    else:
        lines.append(f"{_INDENT}{POLICY}:")
        counts = {"completed": policy.succeeded, "failed": policy.failed, "errored": policy.errored}
        for key, count in counts.items():
            if count is None:
                lines.append(
                    f"{_INDENT}  {key}: null  # keeps all; Argo takes unset as 0 (keeps none)"
                )
            else:
                lines.append(f"{_INDENT}  {key}: {count}")
    ttl = argo.persistence.archive_ttl
    if ttl is not None and ttl > timedelta(0):
        lines.append(f"{_INDENT}{TTL}: {ttl_text(ttl)}")
    else:
        lines.append(f"{_INDENT}{TTL}: 0  # never, as in {argo.source}")
    return "\n".join(lines)


def ttl_text(ttl: timedelta) -> str:
    """As Argo writes it: one number with one unit."""
    seconds = int(ttl.total_seconds())
    unit = next(unit for unit, size in _UNITS.items() if seconds % size == 0)
    return f"{seconds // _UNITS[unit]}{unit}"


class _Dumper(yaml.SafeDumper):
    """Text of several lines stays readable."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def _patch_command(namespace: str, name: str, patch: Mapping[str, Any]) -> str:
    texts = [str(text) for text in patch["data"].values()]
    text = yaml.dump(
        patch,
        Dumper=_Dumper,
        sort_keys=False,
        width=10_000,
        allow_unicode=not any(mark in text for text in texts for mark in _ODD_BREAKS),
    )
    return (
        f"kubectl --namespace {namespace} patch configmap {name} --type merge"
        f" --patch-file /dev/stdin <<'EOF'\n{text}EOF"
    )


def _restarts(installation: Installation) -> tuple[str, ...]:
    namespace = installation.controller_namespace
    controllers = installation.controllers or ("workflow-controller",)
    return tuple(
        f"kubectl --namespace {namespace} rollout restart deployment/{name}" for name in controllers
    )


def _notes(installation: Installation, metadata: Mapping[str, Any]) -> tuple[str, ...]:
    notes = [
        "Merge the block into retention.yaml before you patch; the controller reads these keys at its start."
    ]
    if not installation.controllers:
        notes.append(
            "No Deployment of the controller was found: put its name into the last command."
        )
    keeper = section(metadata, "labels").get("app.kubernetes.io/managed-by")
    if keeper:
        notes.append(
            f"The ConfigMap is managed by {keeper}: take the keys out of its values too, or the next"
            " upgrade puts them back."
        )
    return tuple(notes)
