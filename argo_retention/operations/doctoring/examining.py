"""The order of the checks, and what each of them needs of those before it."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from argo_retention.core.bucket_facts import BucketFacts
from argo_retention.core.database_target import DatabaseTarget
from argo_retention.core.expiry_planning import longest_ttl
from argo_retention.core.ports.archive import Archive
from argo_retention.core.ports.cluster import Cluster
from argo_retention.core.ports.log_store import LogStore
from argo_retention.core.settings import ClusterSettings, Settings
from argo_retention.errors import ArgoRetentionError, ClockSkewError, IdentityError
from argo_retention.operations.discovering import (
    database_target,
    discover,
    target_of_environment,
)
from argo_retention.operations.doctoring.bucket import (
    examine_bucket,
    examine_key_format,
    examine_rules,
)
from argo_retention.operations.doctoring.database import examine_database
from argo_retention.operations.doctoring.deleters import examine_deleters
from argo_retention.operations.doctoring.findings import Finding, Findings
from argo_retention.operations.doctoring.rights import examine_rights
from argo_retention.operations.guarding import check_clocks
from argo_retention.operations.log_stores import LogStores, OpenLogStore
from argo_retention.operations.log_tasks import first_line
from argo_retention.operations.site import Installation


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """How servers are reached."""

    connect: Callable[[ClusterSettings, str], Cluster]  # (settings, name of the cluster)
    open_archive: Callable[[DatabaseTarget, Installation | None], AbstractContextManager[Archive]]
    open_log_store: OpenLogStore
    probe: Callable[[LogStore], BucketFacts]
    conflicts: Callable[[str], Sequence[str]]  # name of the cluster → what moved, a sentence each
    environment: Mapping[str, str]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Which rows of which database an installation takes for its own."""

    host: str
    port: int
    database: str
    clustername: str
    instanceid: str


def examine(
    settings: Settings, clusters: Sequence[str], instruments: Instruments
) -> Iterator[Finding]:
    """Examine these clusters of the settings one after the other; findings come as they are made."""
    shelves: dict[_Shelf, str] = {}
    for name in clusters:
        findings = Findings(cluster=name)
        shelf = yield from _examine_cluster(findings, settings.clusters[name], instruments)
        if shelf is None:
            continue
        other = shelves.setdefault(shelf, name)
        if other != name:
            yield findings.warning(
                "clusterName",
                f"clusters {other} and {name} keep their rows under one clusterName"
                f" {shelf.clustername!r} in the same database: each takes the other's rows for its own",
                f"# in the ConfigMap of one of them; restart its controller and server\n"
                f"persistence:\n  clusterName: {name}",
            )


def _examine_cluster(
    findings: Findings, settings: ClusterSettings, instruments: Instruments
) -> Generator[Finding, None, _Shelf | None]:
    yield findings.ok("settings", _mode(settings))
    clocks: dict[str, datetime] = {}
    cluster = yield from _reach(findings, settings, instruments, clocks)
    installation = None
    if cluster is not None:
        installation = yield from _discover(findings, cluster, settings)
        yield from examine_rights(findings, cluster, settings, installation)
    target = yield from _database(findings, cluster, settings, installation, instruments, clocks)
    if cluster is not None and installation is not None:
        yield from _bucket(findings, cluster, installation, instruments, clocks)
    yield _clocks(findings, instruments.clock(), clocks)
    if cluster is None or installation is None:
        yield findings.warning(
            "not tried",
            "what Argo's ConfigMap leads to: its database, its bucket, its own deleters",
        )
        return None
    yield from examine_deleters(findings, cluster, installation)
    if target is None:
        return None
    yield _identity(findings, instruments)
    return _Shelf(
        target.host,
        target.port,
        target.database,
        installation.clustername,
        installation.instanceid,
    )


def _mode(settings: ClusterSettings) -> str:
    rules = f"{len(settings.rules)} rule{'' if len(settings.rules) == 1 else 's'}"
    if settings.retention.mode == "apply":
        return f"mode apply: runs delete what policy says; {rules}"
    return f"mode observe: nothing is deleted; {rules}"


def _reach(
    findings: Findings,
    settings: ClusterSettings,
    instruments: Instruments,
    clocks: dict[str, datetime],
) -> Generator[Finding, None, Cluster | None]:
    try:
        cluster = instruments.connect(settings, findings.cluster)
        clocks["the API server"] = cluster.server_time()
    except ArgoRetentionError as error:
        yield findings.failed("Kubernetes API", error)
        return None
    yield findings.ok("Kubernetes API", "the API server answers, and it knows us")
    return cluster


def _discover(
    findings: Findings, cluster: Cluster, settings: ClusterSettings
) -> Generator[Finding, None, Installation | None]:
    try:
        installation = discover(cluster, settings, partition=findings.cluster)
    except ArgoRetentionError as error:
        yield findings.failed("Argo's configuration", error)
        return None
    where = (
        f"namespace {installation.managed_namespace}"
        if installation.managed_namespace
        else "all namespaces"
    )
    instance = f", instanceID {installation.instanceid}" if installation.instanceid else ""
    yield findings.ok(
        "Argo's configuration",
        f"ConfigMap {installation.controller_namespace}/{installation.configmap}"
        f" ({installation.found_by}); clusterName {installation.clustername}{instance}, {where}",
    )
    return installation


def _database(
    findings: Findings,
    cluster: Cluster | None,
    settings: ClusterSettings,
    installation: Installation | None,
    instruments: Instruments,
    clocks: dict[str, datetime],
) -> Generator[Finding, None, DatabaseTarget | None]:
    """Also without the API server, where `database.url_env` says where it is."""
    try:
        if cluster is not None and installation is not None:
            target = database_target(cluster, installation, instruments.environment)
        else:
            found = target_of_environment(
                settings, instruments.environment, partition=findings.cluster
            )
            if found is None:
                return None
            target = found
        with instruments.open_archive(target, installation) as archive:
            facts = archive.facts()
    except ArgoRetentionError as error:
        yield findings.failed("database", error)
        return None
    clocks["the database"] = facts.now
    yield from examine_database(findings, target, facts)
    return target


def _bucket(
    findings: Findings,
    cluster: Cluster,
    installation: Installation,
    instruments: Instruments,
    clocks: dict[str, datetime],
) -> Iterator[Finding]:
    repository, settings = installation.repository, installation.settings
    if repository is None or repository.s3 is None:
        kind = repository.kind if repository is not None and repository.kind else "no repository"
        what = f"{installation.argo.source}, artifactRepository: {kind}, where only s3 can be read"
        if settings.storage.uri is None:
            yield findings.failed(
                "bucket",
                f"{what}; there is no place for logs and plans",
                f"# in retention.yaml\nclusters:\n  {findings.cluster}:\n    storage:\n"
                "      uri: file:///var/lib/argo-retention",
            )
        else:
            yield findings.warning("bucket", f"{what}; no logs are saved from pods or expired")
        return
    stores = LogStores(
        cluster,
        instruments.open_log_store,
        controller_namespace=installation.controller_namespace,
        own_credentials=settings.s3.credentials == "own",
        endpoint=settings.s3.endpoint,
    )
    try:
        store = stores.of(repository.s3, namespace=installation.controller_namespace)
        facts = instruments.probe(store)
    except ArgoRetentionError as error:
        yield findings.failed("bucket", error)
    else:
        if facts.clock is not None:
            clocks[f"the bucket {facts.bucket}"] = facts.clock
        yield from examine_bucket(findings, facts)
        yield from examine_rules(
            findings,
            store.rules(),
            bucket=store.bucket,
            location=repository.s3,
            ttl=longest_ttl(installation.policy),
            ours_too=settings.storage.uri is None,
        )
    yield examine_key_format(findings, repository.s3)


def _clocks(findings: Findings, ours: datetime, clocks: dict[str, datetime]) -> Finding:
    if not clocks:
        return findings.warning("clocks", "no server answered, so ours was compared with none")
    try:
        check_clocks(ours, clocks)
    except ClockSkewError as error:
        return findings.failed("clocks", error)
    most = max(abs(ours - theirs).total_seconds() for theirs in clocks.values())
    return findings.ok("clocks", f"{', '.join(clocks)}: at most {most:.0f} s from ours")


def _identity(findings: Findings, instruments: Instruments) -> Finding:
    what = "identity"
    try:
        moved = instruments.conflicts(findings.cluster)
    except IdentityError as error:
        return findings.failed(what, error)
    except ArgoRetentionError as error:
        return findings.warning(what, f"not tried: {first_line(error)}")
    if not moved:
        return findings.ok(what, "cluster, database and bucket are those that belong together")
    return findings.failed(
        what,
        "; ".join(moved),
        "# if it is meant; otherwise mend the settings\n"
        f"argo-retention accept {findings.cluster} --because TEXT",
    )
