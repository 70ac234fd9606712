"""Whether cluster, database and bucket are still those of this installation; asked before any deletion."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from argo_retention.core.bindings import (
    ANCHOR_NAMESPACE,
    IDENTITY_FILE,
    Binding,
    DatabaseIdentity,
    IdentityFile,
    Present,
    conflicts,
    decode_file,
    encode_file,
    list_conflict,
    refuse,
    version_of,
)
from argo_retention.core.ledger import LeaseGrant
from argo_retention.errors import IdentityError
from argo_retention.operations.log_tasks import first_line
from argo_retention.operations.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was found on all three sides."""

    present: Present
    database: DatabaseIdentity

    @property
    def conflicts(self) -> Sequence[str]:
        """What has moved, a sentence each."""
        return conflicts(self.present, self.database)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """What a person took for right."""

    moved: Sequence[str]  # none: nothing had moved
    binding: Binding
    proofs_voided: bool


def look(site: Site) -> Known:
    """Ask all three sides. Raises ClusterError, DatabaseError, ObjectStoreError or IdentityError."""
    return _look(site, _file(site))


def _look(site: Site, file: IdentityFile | None) -> Known:
    installation = site.installation
    return Known(
        present=Present(
            partition=installation.partition,
            instanceid=installation.instanceid,
            cluster_uid=_cluster_uid(site),
            storage=site.tables.uri(IDENTITY_FILE),
            file=file,
        ),
        database=site.archive.identity(clustername=installation.clustername),
    )


def check_identity(site: Site) -> Known:
    """Raise IdentityError where one side has moved; nothing is written."""
    known = look(site)
    refuse(site.installation.partition, known.conflicts)
    return known


def check_list(site: Site, resource_version: str) -> int:
    """The version of a complete list. Raises IdentityError where the cluster was set back."""
    installation = site.installation
    version = version_of(resource_version, installation.partition)
    database = site.archive.identity(clustername=installation.clustername)
    conflict = list_conflict(version, database.binding(installation.instanceid))
    refuse(installation.partition, [conflict] if conflict else [])
    return version


def begin_run(site: Site, grant: LeaseGrant, known: Known, *, resource_version: int) -> None:
    """Count this run in the database and then in the bucket; the first one binds all three.

    Killed between the two, the database is ahead, which is no conflict; that the bucket has its file is
    remembered by the first run that finds it there.
    """
    file = known.present.file
    database = site.archive.begin_run(
        grant,
        _binding(site, known, resource_version),
        installation=str(uuid.uuid4()),
        runs=file.runs if file is not None else 0,
    )
    _write_file(site, database)


def accept(site: Site, grant: LeaseGrant, *, because: str) -> Accepted:
    """Take cluster, database and bucket as they are now for right, and record who said so and why.

    The database keeps its name and gives it to the bucket. Where the cluster's versions went back, no version
    counts as proven any more, so each workflow is compared with its row before it may go.
    """
    installation = site.installation
    file, unreadable = None, []
    try:
        file = _file(site)
    except IdentityError as error:
        unreadable = [first_line(error)]
    known = _look(site, file)
    version = _version_now(site)
    before = known.database.binding(installation.instanceid)
    set_back = list_conflict(version, before)
    moved = [*(unreadable or known.conflicts), *([set_back] if set_back else [])]
    binding = _binding(site, known, version)
    site.archive.accept(
        grant,
        binding,
        moved=moved,
        because=because,
        by_whom=site.by_whom,
        void_proofs=bool(set_back),
    )
    begin_run(site, grant, known, resource_version=version)
    return Accepted(moved=moved, binding=binding, proofs_voided=bool(set_back))


def _binding(site: Site, known: Known, resource_version: int) -> Binding:
    return Binding(
        clustername=site.installation.clustername,
        instanceid=site.installation.instanceid,
        cluster_uid=known.present.cluster_uid,
        storage=known.present.storage if known.present.file is not None else "",
        resource_version=resource_version,
    )


def _write_file(site: Site, database: DatabaseIdentity) -> None:
    file = IdentityFile(
        installation=database.installation, runs=database.runs, written_at=site.clock()
    )
    site.tables.write_bytes(IDENTITY_FILE, encode_file(file))


def _file(site: Site) -> IdentityFile | None:
    body = site.tables.read_bytes(IDENTITY_FILE)
    return None if body is None else decode_file(body, site.tables.uri(IDENTITY_FILE))


def _version_now(site: Site) -> int:
    """Of the list as it is now; the rest of it is not asked for."""
    installation = site.installation
    pages = site.cluster.list_metadata(
        selector=installation.selector, namespace=installation.managed_namespace, page_size=1
    )
    return version_of(next(pages).resource_version, installation.partition)


def _cluster_uid(site: Site) -> str:
    for namespace in site.cluster.namespaces():
        if namespace.name == ANCHOR_NAMESPACE and namespace.uid:
            return namespace.uid
    raise IdentityError(
        f"Cluster {site.installation.partition}: there is no namespace {ANCHOR_NAMESPACE} in the list of its "
        "namespaces.\nEvery cluster has it, so this list is not whole. Nothing was deleted; look with: "
        "kubectl get namespaces"
    )
