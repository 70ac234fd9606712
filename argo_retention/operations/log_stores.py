"""The bucket of a log: opened once for each location, with the credentials that Argo's Secrets hold."""

import base64
import binascii
import threading
from collections.abc import Callable
from dataclasses import replace

from argo_retention.core.artifact_repositories import S3Location, SecretKey
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.ports.log_store import LogStore
from argo_retention.core.s3_credentials import S3Credentials
from argo_retention.errors import ConfigurationError
from argo_retention.operations.probing import honours_conditions

OpenLogStore = Callable[[S3Location, S3Credentials | None], LogStore]


class LogStores:
    """Opens log stores by location. Argo reads the Secrets in the workflow's namespace, so do we."""

    def __init__(
        self,
        cluster: Cluster,
        open_store: OpenLogStore,
        *,
        controller_namespace: str,
        own_credentials: bool,
        endpoint: str | None,
    ) -> None:
        """Remember how stores are opened; nothing is read yet."""
        self._cluster = cluster
        self._open_store = open_store
        self._controller_namespace = controller_namespace
        self._own_credentials = own_credentials
        self._endpoint = endpoint
        self._stores: dict[tuple[str, str, str], LogStore] = {}
        self._conditions: dict[int, bool] = {}  # by id of the store, which lives as long as we do
        self._lock = threading.Lock()

    def of(self, location: S3Location, *, namespace: str) -> LogStore:
        """The store of a location, for a workflow of this namespace.

        Raises ConfigurationError where a Secret or a key in it is missing.
        """
        location = self._reached(location)
        key = (location.endpoint, location.bucket, "" if self._own_credentials else namespace)
        with self._lock:
            store = self._stores.get(key)
            if store is None:
                store = self._open_store(location, self._credentials(location, namespace))
                self._stores[key] = store
            return store

    def honours_conditions(self, store: LogStore) -> bool:
        """As `probing` finds out; tried once for each store."""
        with self._lock:
            known = self._conditions.get(id(store))
            if known is None:
                known = self._conditions[id(store)] = honours_conditions(store)
            return known

    def access(
        self, location: S3Location, *, namespace: str
    ) -> tuple[S3Location, S3Credentials | None]:
        """How a location is reached, with which credentials; None is the SDK's own chain."""
        return self._reached(location), self._credentials(location, namespace)

    def _reached(self, location: S3Location) -> S3Location:
        return location if self._endpoint is None else replace(location, endpoint=self._endpoint)

    def _credentials(self, location: S3Location, namespace: str) -> S3Credentials | None:
        if self._own_credentials or location.use_sdk_creds:
            return None
        if location.access_key_secret is None or location.secret_key_secret is None:
            return None
        token = location.session_token_secret
        return S3Credentials(
            access_key=self._secret(location.access_key_secret, namespace),
            secret_key=self._secret(location.secret_key_secret, namespace),
            session_token=self._secret(token, namespace) if token is not None else None,
        )

    def _secret(self, secret: SecretKey, namespace: str) -> str:
        """From the workflow's namespace; the controller's where that one has no such Secret."""
        return read_secret(
            self._cluster, secret, namespaces=(namespace, self._controller_namespace)
        )


def read_secret(cluster: Cluster, secret: SecretKey, *, namespaces: tuple[str, ...]) -> str:
    """Value of one key of a Secret, from the first of these namespaces that has the Secret.

    Raises ConfigurationError that names Secret and key, never the value.
    """
    for namespace in dict.fromkeys(namespaces):
        found = cluster.get_object(kind="Secret", namespace=namespace, name=secret.name)
        if found is None:
            continue
        encoded = (found.get("data") or {}).get(secret.key)
        if encoded is None:
            has = ", ".join(sorted(found.get("data") or {})) or "no key"
            raise ConfigurationError(
                f"Secret {namespace}/{secret.name}: expected the key {secret.key!r}, found {has}.\n"
                "Name the right key in the controller's ConfigMap or add it to the Secret."
            )
        try:
            return base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"Secret {namespace}/{secret.name}, key {secret.key!r}: its value cannot be decoded."
            ) from error
    places = " or ".join(dict.fromkeys(namespaces))
    raise ConfigurationError(
        f"There is no Secret {secret.name!r} (key {secret.key!r}) in namespace {places}.\n"
        "Create it there, or name another one in the controller's ConfigMap."
    )
