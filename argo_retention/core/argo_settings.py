"""What Argo's controller is configured with: its ConfigMap, and the arguments that name it.

Only what retention needs is read; keys that we do not know are Argo's business. Passwords are not here: the
ConfigMap names Secrets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from argo_retention.core.artifact_repositories import (
    ArtifactRepository,
    SecretKey,
    parse_repository,
    secret_key,
)
from argo_retention.core.config_maps import Path, Section, parse_section, parse_yaml
from argo_retention.core.durations import parse_ttl
from argo_retention.core.policy import RetentionPolicy
from argo_retention.core.selectors import LabelSelector
from argo_retention.errors import ConfigurationError

DEFAULT_CONFIG_MAP = "workflow-controller-configmap"
DEFAULT_CLUSTER_NAME = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where Argo's archive is, as `persistence.postgresql` or `persistence.mysql` says."""

    kind: str  # "postgresql" or "mysql"
    host: str
    port: int | None  # None: the default of the database
    database: str
    table_name: str  # of the offloaded node status
    user_secret: SecretKey | None
    password_secret: SecretKey | None
    ssl: bool
    ssl_mode: str  # "" when unset; Argo ignores it without `ssl`


@dataclass(frozen=True, slots=True, kw_only=True)
class Persistence:
    """Argo's archive and offloading."""

    archive: bool = False
    archive_ttl: timedelta | None = None  # None and zero: rows never expire
    archive_label_selector: LabelSelector | None = None  # None: everything is archived
    cluster_name: str = DEFAULT_CLUSTER_NAME
    node_status_offload: bool = False
    database: DatabaseSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoSettings:
    """Settings of one controller."""

    source: str  # for messages: which ConfigMap
    instance_id: str = ""
    namespace: str = ""  # limits the controller's watch, not the archive
    persistence: Persistence = field(default_factory=Persistence)
    retention_policy: RetentionPolicy | None = None  # None: Argo's controller deletes by no count
    artifact_repository: ArtifactRepository | None = None
    workflow_defaults: Mapping[str, Any] = field(default_factory=dict)


def parse_controller_config(data: Mapping[str, str], *, source: str) -> ArgoSettings:
    """Read the data of the controller's ConfigMap: one YAML text a key, or all under the key `config`.

    Raises ConfigurationError that names source, key, line, and what was expected.
    """
    config = _config(data, source)
    persistence = config.section("persistence")
    policy = config.section("retentionPolicy")
    repository = config.section("artifactRepository")
    defaults = config.section("workflowDefaults")
    return ArgoSettings(
        source=source,
        instance_id=config.text("instanceID"),
        namespace=config.text("namespace"),
        persistence=_persistence(persistence) if persistence is not None else Persistence(),
        retention_policy=_retention_policy(policy) if policy is not None else None,
        artifact_repository=parse_repository(repository) if repository is not None else None,
        workflow_defaults=defaults.value if defaults is not None else {},
    )


def configmap_name_from_args(args: Sequence[str]) -> str:
    """Name of the ConfigMap that a controller or server with these arguments reads."""
    return _argument(args, "--configmap") or DEFAULT_CONFIG_MAP


def managed_namespace_from_args(args: Sequence[str], own_namespace: str) -> str | None:
    """Namespace to which a controller with these arguments is limited; None: all namespaces."""
    namespaced = any(arg in {"--namespaced", "--namespaced=true"} for arg in args)
    return _argument(args, "--managed-namespace") or (own_namespace if namespaced else None)


def _argument(args: Sequence[str], name: str) -> str:
    """Value of `--name=value` or `--name value`; the last one wins, as in Go's pflag."""
    value = ""
    for index, arg in enumerate(args):
        if arg == name and index + 1 < len(args):
            value = args[index + 1]
        elif arg.startswith(f"{name}="):
            value = arg.removeprefix(f"{name}=")
    return value


def _config(data: Mapping[str, str], source: str) -> Section:
    if "config" in data:
        if len(data) > 1:
            others = ", ".join(sorted(set(data) - {"config"}))
            raise ConfigurationError(
                f"{source}: with the old key config Argo allows no other key, found {others}"
            )
        return parse_section(data["config"], source=source)
    value: dict[str, Any] = {}
    lines: dict[Path, int] = {}
    for key, text in data.items():
        value[key], lines_of_key = parse_yaml(text, source=source, path=(key,))
        lines |= lines_of_key
    return Section(value=value, source=source, lines=lines)


def _persistence(persistence: Section) -> Persistence:
    return Persistence(
        archive=persistence.boolean("archive") or False,
        archive_ttl=_ttl(persistence),
        archive_label_selector=_selector(persistence),
        cluster_name=persistence.text("clusterName") or DEFAULT_CLUSTER_NAME,
        node_status_offload=persistence.boolean("nodeStatusOffLoad") or False,
        database=_database(persistence),
    )


def _ttl(persistence: Section) -> timedelta | None:
    value = persistence.value.get("archiveTTL")
    if value is None:
        return None
    try:
        return parse_ttl(value)
    except ConfigurationError as error:
        raise persistence.error("archiveTTL", str(error)) from error


def _selector(persistence: Section) -> LabelSelector | None:
    selector = persistence.section("archiveLabelSelector")
    if selector is None:
        return None
    try:
        return LabelSelector.from_mapping(selector.value)
    except ConfigurationError as error:
        raise persistence.error("archiveLabelSelector", str(error)) from error


def _database(persistence: Section) -> DatabaseSettings | None:
    for kind in ("postgresql", "mysql"):  # Argo takes PostgreSQL where both are set
        database = persistence.section(kind)
        if database is None:
            continue
        host = database.text("host")
        if not host:
            raise database.error("host", "expected the name of the database server, found nothing")
        return DatabaseSettings(
            kind=kind,
            host=host,
            port=database.number("port"),
            database=database.text("database"),
            table_name=database.text("tableName"),
            user_secret=secret_key(database, "userNameSecret"),
            password_secret=secret_key(database, "passwordSecret"),
            ssl=database.boolean("ssl") or False,
            ssl_mode=database.text("sslMode"),
        )
    return None


def _retention_policy(policy: Section) -> RetentionPolicy:
    return RetentionPolicy(
        succeeded=_count(policy, "completed"),
        failed=_count(policy, "failed"),
        errored=_count(policy, "errored"),
    )


def _count(policy: Section, key: str) -> int | None:
    count = policy.number(key)
    if count is not None and count < 0:
        raise policy.error(key, f"expected how many workflows to keep, found {count}")
    return count
