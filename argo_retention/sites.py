"""The one place that joins settings, ports and servers: opens a `Site` for one cluster.

Nothing is sent before `open_site` is entered; leaving it closes all connections.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from argo_retention.adapters.kubernetes_cluster.cluster import KubernetesCluster
from argo_retention.adapters.kubernetes_cluster.connecting import connect
from argo_retention.adapters.kubernetes_cluster.transport import READ_SECONDS
from argo_retention.adapters.parquet_tables import open_tables
from argo_retention.adapters.postgres_archive.archive import PostgresArchive
from argo_retention.adapters.retries import Patience
from argo_retention.adapters.s3_log_store import open_log_store
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.ports.table_store import TableStore
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.core.settings_file import parse_settings
from argo_retention.errors import ConfigurationError
from argo_retention.operations.discovering import database_target, discover
from argo_retention.operations.identifying import look
from argo_retention.operations.log_stores import LogStores
from argo_retention.operations.site import Installation, Progress, Site, no_progress

CONFIG_VARIABLE = "ARGO_RETENTION_CONFIG"
DEFAULT_CONFIG = "retention.yaml"
OFFLOAD_TABLE = "argo_workflows"  # Argo's own default for persistence.tableName


def settings_path() -> Path:
    """Path of the settings file: the environment variable, else retention.yaml here."""
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_CONFIG)


def load_settings(path: Path | None = None) -> Settings:
    """Settings from the file. Raises ConfigurationError when it is not there or has a mistake."""
    path = path or settings_path()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the settings file cannot be read ({error.strerror}).\n"
            f"Write one (README, Configuration), or set {CONFIG_VARIABLE} to its path."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: the settings file is not UTF-8 text.") from error
    return parse_settings(text, source=str(path))


def utc_now() -> datetime:
    """The clock of this host."""
    return datetime.now(tz=UTC)


def open_cluster(
    settings: ClusterSettings,
    partition: str,
    *,
    patience: Patience | None = None,
    read_seconds: float = READ_SECONDS,
    limit_seconds: float = math.inf,
) -> KubernetesCluster:
    """The Kubernetes API of one cluster; sends nothing yet. Raises ConfigurationError."""
    return connect(
        kubeconfig=settings.kubeconfig,
        context=settings.context,
        name=partition,
        patience=patience,
        read_seconds=read_seconds,
        limit_seconds=limit_seconds,
    )


def open_archive(target: DatabaseTarget, installation: Installation | None) -> PostgresArchive:
    """The archive of a database; connects on first use. Without an installation by Argo's own defaults."""
    database = installation.argo.persistence.database if installation is not None else None
    offload_table = database.table_name if database is not None else ""
    return PostgresArchive(target, offload_table=offload_table or OFFLOAD_TABLE)


@contextmanager
def open_site(
    settings: Settings,
    partition: str,
    *,
    run_id: str,
    root_run: str,
    by_whom: str,
    clock: Callable[[], datetime] = utc_now,
    progress: Progress = no_progress,
) -> Iterator[Site]:
    """One cluster with all its servers. Raises ConfigurationError for what is missing or wrong."""
    cluster_settings = settings.clusters.get(partition)
    if cluster_settings is None:
        known = ", ".join(sorted(settings.clusters))
        raise ConfigurationError(
            f"There is no cluster {partition!r} in the settings; there are: {known}."
        )
    with closing(open_cluster(cluster_settings, partition)) as cluster:
        installation = discover(cluster, cluster_settings, partition=partition)
        target = database_target(cluster, installation, os.environ)
        log_stores = LogStores(
            cluster,
            open_log_store,
            controller_namespace=installation.controller_namespace,
            own_credentials=cluster_settings.s3.credentials == "own",
            endpoint=cluster_settings.s3.endpoint,
        )
        with open_archive(target, installation) as archive:
            yield Site(
                installation=installation,
                cluster=cluster,
                archive=archive,
                tables=_tables(installation, log_stores),
                log_stores=log_stores,
                clock=clock,
                run_id=run_id,
                root_run=root_run,
                by_whom=by_whom,
                progress=progress,
            )


def what_moved(settings: Settings, partition: str) -> Sequence[str]:
    """What speaks against cluster, database and bucket belonging together, a sentence each; reads only."""
    with open_site(
        settings, partition, run_id="", root_run="", by_whom="argo-retention doctor"
    ) as site:
        return look(site).conflicts


def _tables(installation: Installation, log_stores: LogStores) -> TableStore:
    """Snapshots and plans: `storage.uri`, else argo-retention/ in the controller's bucket."""
    uri = installation.settings.storage.uri
    repository = installation.repository
    s3 = repository.s3 if repository is not None else None
    if uri is not None and not uri.startswith("s3://"):
        return open_tables(uri)
    if s3 is None:
        raise ConfigurationError(
            f"Cluster {installation.partition}: there is no S3 artifactRepository to keep plans in.\n"
            "Set storage.uri in retention.yaml (file:///... or s3://bucket/prefix)."
        )
    location, credentials = log_stores.access(s3, namespace=installation.controller_namespace)
    return open_tables(
        uri or f"s3://{s3.bucket}/argo-retention",
        endpoint=location.endpoint,
        region=location.region,
        insecure=location.insecure,
        credentials=credentials,
    )
