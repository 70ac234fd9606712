"""Finding Argo's own configuration: Deployment → --configmap → ConfigMap → Secrets."""

from collections.abc import Mapping, Sequence
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


def discover(cluster: Cluster, settings: ClusterSettings, *, partition: str) -> Installation:
    """What is installed in this cluster and what the settings make of it.

    Raises ConfigurationError that names object and key; ClusterError when the API refuses.
    """
    namespace, configmap, args, found_by = _find(cluster, settings, partition)
    found = cluster.get_object(kind="ConfigMap", namespace=namespace, name=configmap)
    if found is None:
        raise ConfigurationError(
            f"Cluster {partition}: there is no ConfigMap {namespace}/{configmap} ({found_by}).\n"
            f"Name it in retention.yaml: clusters.{partition}.argo.configMap."
        )
    source = f"ConfigMap {namespace}/{configmap}"
    argo = parse_controller_config(section(found, "data"), source=source)
    return Installation(
        partition=partition,
        controller_namespace=namespace,
        configmap=configmap,
        found_by=found_by,
        managed_namespace=managed_namespace_from_args(args, namespace),
        argo=argo,
        settings=settings,
        policy=policy_of(settings, argo),
    )


def database_target(
    cluster: Cluster, installation: Installation, environment: Mapping[str, str]
) -> DatabaseTarget:
    """Where the archive is: the environment variable of `database.url_env`, else Argo's Secrets."""
    url_env = installation.settings.database.url_env
    if url_env is not None:
        url = environment.get(url_env, "")
        if not url:
            raise ConfigurationError(
                f"Cluster {installation.partition}: database.url_env names {url_env}, which is not set.\n"
                "Set it to postgresql://user:password@host:port/database."
            )
        return DatabaseTarget.from_url(url)
    return _target_of_argo(cluster, installation.argo, installation.controller_namespace)


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
            f"{argo.source}, key persistence.postgresql: userNameSecret or passwordSecret is missing.\n"
            "Add both, or set database.url_env in retention.yaml."
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


def _find(
    cluster: Cluster, settings: ClusterSettings, partition: str
) -> tuple[str, str, Sequence[str], str]:
    """(namespace, ConfigMap, arguments of the controller, how it was found)."""
    wanted, name = settings.argo.namespace, settings.argo.configMap
    deployments = cluster.list_objects(kind="Deployment", namespace=wanted)
    servers = _with_image(deployments, SERVER_IMAGE)
    controllers = _with_image(deployments, CONTROLLER_IMAGE)
    namespaces = sorted({namespace for namespace, _, _ in [*servers, *controllers]})
    if not namespaces:
        if wanted is not None and name is not None:
            return wanted, name, (), "named in retention.yaml"
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
    namespace = namespaces[0]
    controller_args = next((args for _, _, args in controllers), ())
    if name is not None:
        return namespace, name, controller_args, "named in retention.yaml"
    deployment, args = next((d, a) for _, d, a in [*servers, *controllers])
    configmap = configmap_name_from_args(args)
    how = "its argument --configmap" if configmap != DEFAULT_CONFIG_MAP else "Argo's default name"
    return (
        namespace,
        configmap,
        controller_args or args,
        f"found by Deployment {namespace}/{deployment}, {how}",
    )


def _with_image(
    deployments: Sequence[Mapping[str, Any]], image: str
) -> list[tuple[str, str, tuple[str, ...]]]:
    """(namespace, name, command and arguments) of Deployments that run a container of this image."""
    found = []
    for deployment in deployments:
        metadata = section(deployment, "metadata")
        pod_spec = section(section(section(deployment, "spec"), "template"), "spec")
        for container in pod_spec.get("containers") or ():
            command = [*(container.get("command") or ()), *(container.get("args") or ())]
            parts = str(container.get("image") or "").partition("@")[0].rsplit("/", 1)[-1]
            if parts.partition(":")[0] == image or (image == SERVER_IMAGE and _is_server(command)):
                found.append((metadata["namespace"], metadata["name"], tuple(command)))
    return found


def _is_server(command: Sequence[str]) -> bool:
    """A mirror may have renamed the image; `argo server --auth-mode` still tells."""
    return "server" in command[:2] and any(arg.startswith("--auth-mode") for arg in command)
