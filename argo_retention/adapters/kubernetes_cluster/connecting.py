"""From a kubeconfig or the pod's service account to a cluster, as the official client finds them.

The client's own messages are not passed on: some of them print a whole user entry, token included.
For the same reason its errors are not chained.
"""

import math
import os
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_incluster_config, load_kube_config
from kubernetes.config.config_exception import ConfigException
from kubernetes.config.incluster_config import SERVICE_HOST_ENV_NAME
from kubernetes.config.kube_config import ENV_KUBECONFIG_PATH_SEPARATOR, KubeConfigMerger

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.kubernetes_cluster.many import Connecting
from argo_retention.adapters.kubernetes_cluster.transport import (
    READ_SECONDS,
    Credentials,
    Transport,
)
from argo_retention.adapters.retries import Patience
from argo_retention.errors import ConfigurationError

DEFAULT_KUBECONFIG = "~/.kube/config"
#: More than the most requests that any operation has in flight (32 logs, 32 deletions).
CONNECTIONS = 64
#: What reading a malformed kubeconfig raises inside the client, besides its own exception.
_MALFORMED = (ConfigException, TypeError, AttributeError, KeyError, ValueError)


def connect(
    *,
    kubeconfig: str | None,
    context: str | None,
    name: str,
    patience: Patience | None = None,
    read_seconds: float = READ_SECONDS,
    limit_seconds: float = math.inf,
) -> KubernetesCluster:
    """The cluster of a kubeconfig and context; sends nothing yet.

    Without either, the pod's service account is used where there is one; else the files of KUBECONFIG, else
    ~/.kube/config, and their current context. `name` is the cluster's name in messages; after `limit_seconds`
    nothing is asked any more, for callers that must have ended by then.

    Raises:
        ConfigurationError: A file is missing or cannot be read, or the context is not in it.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = CONNECTIONS
    if kubeconfig is None and context is None and SERVICE_HOST_ENV_NAME in os.environ:
        _load_service_account(configuration, name)
    else:
        paths = kubeconfig or os.environ.get("KUBECONFIG") or DEFAULT_KUBECONFIG
        _load_kubeconfig(configuration, paths, context, name)
    address = urlsplit(configuration.host)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ConfigurationError(
            f"Cluster {name}: the server in the kubeconfig is not a URL like https://HOST:PORT.\n"
            "Correct clusters[].cluster.server."
        )
    if _is_loopback(address.hostname):
        # The client would send even these requests to the proxy of the environment; kubectl does not.
        configuration.proxy = None
    # The client's pool manager has what it found: CA, client certificate, proxy, server name, pool size.
    rest_client = ApiClient(configuration).rest_client
    return KubernetesCluster(
        Transport(
            name=name,
            server=configuration.host,
            pool_manager=rest_client.pool_manager,
            credentials=Credentials(lambda: _authorization(configuration, name)),
            patience=patience or Patience(),
            connecting=_connecting(configuration, rest_client.pool_manager),
            read_seconds=read_seconds,
            limit_seconds=limit_seconds,
        )
    )


def _connecting(configuration: Configuration, pool_manager: urllib3.PoolManager) -> Connecting:
    proxy = pool_manager.proxy  # the client has looked at the environment's exceptions
    return Connecting(
        ca_file=configuration.ssl_ca_cert,
        certificate_file=configuration.cert_file,
        key_file=configuration.key_file,
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name,
        proxy=proxy.url if proxy is not None else None,
        proxy_headers=configuration.proxy_headers if proxy is not None else None,
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _authorization(configuration: Configuration, name: str) -> str | None:
    """The header's value; the client's hook reads the token file, or runs the plugin, when it is time."""
    try:
        settings = configuration.auth_settings()
    except (*_MALFORMED, OSError):
        raise ConfigurationError(
            f"Cluster {name}: the credentials could not be renewed.\n"
            "Check the service account's token file, or the kubeconfig user's exec plugin or tokenFile."
        ) from None
    value = settings.get("BearerToken", {}).get("value")
    return value if isinstance(value, str) else None


def _load_service_account(configuration: Configuration, name: str) -> None:
    try:
        load_incluster_config(client_configuration=configuration)
    except (ConfigException, OSError):
        raise ConfigurationError(
            f"Cluster {name}: this looks like a pod ({SERVICE_HOST_ENV_NAME} is set), but its service "
            "account's token or CA file cannot be read.\n"
            "Mount the token (automountServiceAccountToken: true), or name a kubeconfig in the settings."
        ) from None


def _load_kubeconfig(
    configuration: Configuration, paths: str, context: str | None, name: str
) -> None:
    files = [Path(path).expanduser() for path in paths.split(ENV_KUBECONFIG_PATH_SEPARATOR) if path]
    if not any(file.exists() for file in files):
        raise ConfigurationError(
            f"Cluster {name}: there is no kubeconfig at {paths}.\n"
            f"Name one in the settings (clusters.{name}.kubeconfig) or in KUBECONFIG."
        )
    found, current = _contexts(paths, name)
    wanted = context or current
    if wanted not in found:
        what = f'has no context "{wanted}"' if wanted else "names no current-context"
        raise ConfigurationError(
            f"Cluster {name}: the kubeconfig {paths} {what}.\n"
            f"Its contexts are: {', '.join(sorted(found)) or 'none'}. Name one in the settings "
            f"(clusters.{name}.context)."
        )
    try:
        load_kube_config(config_file=paths, context=wanted, client_configuration=configuration)
    except (*_MALFORMED, OSError) as error:
        # This message alone is safe, and it names the file.
        text = str(error)
        what = (
            text if text.startswith("File does not exist: ") else "an entry is missing or malformed"
        )
        raise ConfigurationError(
            f'Cluster {name}: context "{wanted}" of the kubeconfig {paths} cannot be used: {what}.\n'
            f"Try: kubectl --context {wanted} version"
        ) from None


def _contexts(paths: str, name: str) -> tuple[Sequence[str], str | None]:
    """Names of the contexts, and the current one."""
    try:
        merged = KubeConfigMerger(paths).config
        return (
            [str(entry.value["name"]) for entry in merged.value["contexts"]],
            merged.value.get("current-context"),
        )
    except yaml.YAMLError as error:
        # The error's text would show the line, which may be the token's.
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1} of {mark.name}" if mark else ""
        what = f"not YAML{where}"
    except OSError as error:
        what = f"not readable: {error.strerror}"
    except _MALFORMED:
        what = "not a kubeconfig"
    raise ConfigurationError(
        f"Cluster {name}: the kubeconfig {paths} is {what}.\nCorrect it, or name another in the settings."
    )
