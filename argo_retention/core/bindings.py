"""Which cluster, database and bucket belong together, and what speaks against it.

A wrong context, a wrong DSN, a rebuilt cluster or a database from a backup look like a cluster that lost its
workflows or an archive that has them all: each side therefore knows the others, and nothing is deleted while
one of them has moved.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from argo_retention.errors import IdentityError

IDENTITY_FILE = "identity.json"  # below storage.uri
ANCHOR_NAMESPACE = "kube-system"  # lives as long as its cluster, and its uid with it


class IdentityFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the bucket knows: whose it is, and by how many runs."""

    installation: str
    runs: int
    written_at: datetime  # UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One row of `clusters`: what a clusterName (and instanceID) meant when it was last right."""

    clustername: str
    instanceid: str
    cluster_uid: str  # metadata.uid of the namespace kube-system
    storage: str  # address of its identity file, once a run found it there; "" before
    resource_version: int  # the highest that a complete list had
    bound_at: datetime | None = None  # by the database's clock
    listed_at: datetime | None = None  # when that list was recorded; None where its record is gone


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseIdentity:
    """What the database knows of itself, and of the clusters of one clusterName."""

    installation: str = ""  # "": no run was ever here
    runs: int = 0
    made_at: datetime | None = None
    bindings: Sequence[Binding] = ()

    def binding(self, instanceid: str) -> Binding | None:
        """That of one installation; None before its first run."""
        return next((each for each in self.bindings if each.instanceid == instanceid), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What is there now."""

    partition: str
    instanceid: str
    cluster_uid: str
    storage: str
    file: IdentityFile | None


def conflicts(present: Present, database: DatabaseIdentity) -> list[str]:
    """What does not belong together any more, a sentence each; none where all is as it was."""
    return [*_cluster(present, database), *_bucket(present, database)]


def _cluster(present: Present, database: DatabaseIdentity) -> list[str]:
    # Of any instanceID: two clusters of one clusterName would take each other's rows for their own.
    return [
        f"the cluster moved: the uid of its namespace {ANCHOR_NAMESPACE} is {present.cluster_uid}, and was "
        f"{each.cluster_uid} for clusterName {each.clustername!r} since {_day(each.bound_at)}: another "
        "context or kubeconfig, or a rebuilt cluster"
        for each in database.bindings
        if each.cluster_uid != present.cluster_uid
    ][:1]


def _bucket(present: Present, database: DatabaseIdentity) -> list[str]:
    file, binding = present.file, database.binding(present.instanceid)
    if file is None:
        if binding is not None and binding.storage == present.storage:
            gone = (
                f"the bucket moved: {present.storage} is gone, which an earlier run wrote: the bucket was "
                "emptied, or another one has its name"
            )
            return [gone]
        return []
    if file.installation != database.installation:
        owner = (
            f"to {database.installation} (since {_day(database.made_at)})"
            if database.installation
            else "to none, no run was ever here"
        )
        other = (
            f"database or bucket moved: {present.storage} belongs to installation {file.installation} (last "
            f"run {_day(file.written_at)}), the database {owner}: another DSN or another bucket"
        )
        return [other]
    if file.runs > database.runs:
        back = (
            f"the database moved back: it counts {database.runs} runs, {present.storage} counts {file.runs} "
            f"(the last {_day(file.written_at)}): it was restored from a backup, or a standby was promoted "
            "too early"
        )
        return [back]
    return []


def list_conflict(resource_version: int, binding: Binding | None) -> str:
    """Why a list of this resourceVersion is not of the cluster as we knew it; "" when it is."""
    if binding is None or resource_version >= binding.resource_version:
        return ""
    when = f"that of {_day(binding.listed_at)}" if binding.listed_at else "an earlier one"
    return (
        f"the cluster moved back: this list has resourceVersion {resource_version}, {when} had "
        f"{binding.resource_version}: etcd was restored from a backup"
    )


def refuse(partition: str, found: Sequence[str]) -> None:
    """Raise IdentityError for conflicts; does nothing where there is none."""
    if found:
        raise IdentityError(
            f"Cluster {partition}: {'; '.join(found)}.\n"
            "Nothing was deleted. If this is wrong, mend the settings; if it is right, say so: "
            f"argo-retention accept {partition} --because TEXT"
        )


def version_of(text: str, partition: str) -> int:
    """A list's resourceVersion as a number. Raises IdentityError where it is none.

    With etcd they always were comparable; Kubernetes documents it since 1.35 (KEP-5504).
    """
    if not (text.isascii() and text.isdigit()):
        raise IdentityError(
            f"Cluster {partition}: a list came with resourceVersion {text[:40]!r}, which is no number.\n"
            "Whether the cluster was set back cannot be told; nothing was deleted."
        )
    return int(text)


def encode_file(file: IdentityFile) -> bytes:
    """The identity file, to be read by people too."""
    return msgspec.json.format(msgspec.json.encode(file)) + b"\n"


def decode_file(body: bytes, where: str) -> IdentityFile:
    """The identity file. Raises IdentityError where it is something else."""
    try:
        return msgspec.json.decode(body, type=IdentityFile)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise IdentityError(
            f"{where}: expected the identity of an installation: {error}.\n"
            "Somebody else wrote it. Nothing was deleted. If cluster, database and bucket are right, "
            "write it anew: argo-retention accept CLUSTER --because TEXT"
        ) from error


def _day(moment: datetime | None) -> str:
    return "unknown" if moment is None else f"{moment:%Y-%m-%d %H:%MZ}"
