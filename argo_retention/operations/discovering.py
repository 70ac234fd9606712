"""Finding Argo's own configuration: Deployment → --configmap → ConfigMap → Secrets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from argo_retention.core.argo_settings import (
    DEFAULT_CONFIG_MAP,
    ArgoSettings,
    configmap_name_from_args,
    managed_namespace_from_args,
    parse_controller_config,
)
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.effective_policy import policy_of
from argo_retention.core.manifests import section
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.settings import ClusterSettings
from argo_retention.errors import ConfigurationError
from argo_retention.operations.log_stores import read_secret
from argo_retention.operations.site import Installation

SERVER_IMAGE = "argocli"
CONTROLLER_IMAGE = "workflow-controller"
GC_PERIOD = "ARCHIVED_WORKFLOW_GC_PERIOD"  # how often Argo looks for rows that expired; unset 24h


@dataclass(frozen=True, slots=True, kw_only=True)
class _Deployed:
    """A Deployment of Argo's server or controller."""

    namespace: str
    name: str
    args: tuple[str, ...]  # command and arguments
    is_controller: bool
    gc_period: str = ""  # environment ARCHIVED_WORKFLOW_GC_PERIOD

    @property
    def configmap(self) -> str:
        return configmap_name_from_args(self.args)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the configuration is, and who reads it."""

    namespace: str
    configmap: str
    found_by: str
    args: tuple[str, ...] = ()  # of the controller; of the server where no controller was found
    controllers: tuple[str, ...] = ()
    gc_period: str = ""


def discover(cluster: Cluster, settings: ClusterSettings, *, partition: str) -> Installation:
    """What is installed in this cluster and what the settings make of it.

    Raises ConfigurationError that names object and key; ClusterError when the API refuses.
    """
    place = _find(cluster, settings, partition)
    namespace, configmap = place.namespace, place.configmap
    found = cluster.get_object(kind="ConfigMap", namespace=namespace, name=configmap)
    if found is None:
        raise ConfigurationError(
            f"Cluster {partition}: there is no ConfigMap {namespace}/{configmap} ({place.found_by}).\n"
            f"Name it in retention.yaml: clusters.{partition}.argo.configMap."
        )
    try:
        argo = parse_controller_config(
            section(found, "data"), source=f"ConfigMap {namespace}/{configmap}"
        )
    except ConfigurationError as error:
        raise ConfigurationError(
            f"Cluster {partition}: {error}\n"
            f"Correct it: kubectl --namespace {namespace} edit configmap {configmap}"
        ) from error
    return Installation(
        partition=partition,
        controller_namespace=namespace,
        configmap=configmap,
        found_by=place.found_by,
        controllers=place.controllers,
        gc_period=place.gc_period,
        managed_namespace=managed_namespace_from_args(place.args, namespace),
        argo=argo,
        settings=settings,
        policy=policy_of(settings, argo),
    )


def database_target(
    cluster: Cluster, installation: Installation, environment: Mapping[str, str]
) -> DatabaseTarget:
    """Where the archive is: the environment variable of `database.url_env`, else Argo's Secrets."""
    target = target_of_environment(
        installation.settings, environment, partition=installation.partition
    )
    if target is not None:
        return target
    return _target_of_argo(cluster, installation.argo, installation.controller_namespace)


def target_of_environment(
    settings: ClusterSettings, environment: Mapping[str, str], *, partition: str
) -> DatabaseTarget | None:
    """What the environment variable of `database.url_env` says; None where the settings name none."""
    url_env = settings.database.url_env
    if url_env is None:
        return None
    if not url_env.isidentifier():  # perhaps the URL itself, with its password
        raise ConfigurationError(
            f"Cluster {partition}: database.url_env is not the name of an environment variable.\n"
            "Write a name such as ARCHIVE_URL there, and the URL into that variable."
        )
    url = environment.get(url_env, "")
    if not url:
        raise ConfigurationError(
            f"Cluster {partition}: database.url_env names {url_env}, which is not set.\n"
            "Set it to postgresql://user:password@host:port/database."
        )
    try:
        return DatabaseTarget.from_url(url)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"Cluster {partition}, environment variable {url_env} (database.url_env):\n{error}"
        ) from error


def _target_of_argo(cluster: Cluster, argo: ArgoSettings, namespace: str) -> DatabaseTarget:
    database = argo.persistence.database
    if database is None or database.kind != "postgresql":
        found = "no database" if database is None else database.kind
        raise ConfigurationError(
            f"{argo.source}, key persistence: expected postgresql, found {found}.\n"
            "Turn Argo's archive on (persistence.archive: true with postgresql), or set database.url_env."
        )
    if database.user_secret is None or database.password_secret is None:
        raise ConfigurationError(
            f"{argo.source}, key persistence.postgresql: expected userNameSecret and passwordSecret, "
            "each {name, key} of a Secret.\nAdd both, or set database.url_env in retention.yaml."
        )
    places = (namespace,)
    return DatabaseTarget(
        host=database.host,
        port=database.port or 5432,
        database=database.database,
        user=read_secret(cluster, database.user_secret, namespaces=places),
        password=SecretStr(read_secret(cluster, database.password_secret, namespaces=places)),
        sslmode=(database.ssl_mode or "prefer") if database.ssl else "disable",
    )


def _find(cluster: Cluster, settings: ClusterSettings, partition: str) -> _Place:
    wanted, named = settings.argo.namespace, settings.argo.configMap
    deployed = _deployed(cluster.list_objects(kind="Deployment", namespace=wanted))
    namespaces = sorted({each.namespace for each in deployed})
    if not namespaces:
        if wanted is not None and named is not None:
            return _Place(namespace=wanted, configmap=named, found_by="named in retention.yaml")
        where = f"namespace {wanted}" if wanted else "any namespace"
        raise ConfigurationError(
            f"Cluster {partition}: no Deployment of Argo's server or controller in {where}.\n"
            f"Name Argo's place in retention.yaml: clusters.{partition}.argo: "
            "{namespace: ..., configMap: ...}."
        )
    if len(namespaces) > 1:
        raise ConfigurationError(
            f"Cluster {partition}: Argo is installed in several namespaces: {', '.join(namespaces)}.\n"
            f"Choose one in retention.yaml: clusters.{partition}.argo.namespace."
        )
    configmaps = sorted({each.configmap for each in deployed})
    if named is None and len(configmaps) > 1:
        raise ConfigurationError(
            f"Cluster {partition}: Argo's Deployments in namespace {namespaces[0]} read several ConfigMaps: "
            f"{', '.join(configmaps)}.\n"
            f"Choose one in retention.yaml: clusters.{partition}.argo.configMap."
        )
    configmap = named or configmaps[0]
    readers = [each for each in deployed if each.configmap == configmap]
    controllers = [each for each in readers if each.is_controller]
    found_by = "named in retention.yaml"
    if named is None:
        how = (
            "its argument --configmap" if configmap != DEFAULT_CONFIG_MAP else "Argo's default name"
        )
        found_by = f"found by Deployment {readers[0].namespace}/{readers[0].name}, {how}"
    return _Place(
        namespace=namespaces[0],
        configmap=configmap,
        found_by=found_by,
        args=next((each.args for each in [*controllers, *readers, *deployed]), ()),
        controllers=tuple(each.name for each in controllers),
        gc_period=next((each.gc_period for each in controllers if each.gc_period), ""),
    )


def _deployed(deployments: Sequence[Mapping[str, Any]]) -> list[_Deployed]:
    """Argo's server, then its controllers; a mirror may have renamed their images."""
    found = []
    for deployment in deployments:
        metadata = section(deployment, "metadata")
        pod_spec = section(section(section(deployment, "spec"), "template"), "spec")
        for container in pod_spec.get("containers") or ():
            command = [*(container.get("command") or ()), *(container.get("args") or ())]
            image = str(container.get("image") or "").partition("@")[0].rsplit("/", 1)[-1]
            image = image.partition(":")[0]
            is_controller = image == CONTROLLER_IMAGE or command[:1] == [CONTROLLER_IMAGE]
            if is_controller or image == SERVER_IMAGE or _is_server(command):
                found.append(
                    _Deployed(
                        namespace=metadata["namespace"],
                        name=metadata["name"],
                        args=tuple(command),
                        is_controller=is_controller,
                        gc_period=_environment(container).get(GC_PERIOD, ""),
                    )
                )
    return sorted(found, key=lambda each: each.is_controller)


def _environment(container: Mapping[str, Any]) -> dict[str, str]:
    """What is written there; what comes from elsewhere (valueFrom) is not known."""
    given = container.get("env") or ()
    return {str(each.get("name")): str(each.get("value") or "") for each in given}


def _is_server(command: Sequence[str]) -> bool:
    """Whether this is `argo server --auth-mode=...`."""
    return "server" in command[:2] and any(arg.startswith("--auth-mode") for arg in command)
