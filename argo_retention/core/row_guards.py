"""May a row be written over what stands in the archive now? An older object never replaces a newer row."""

from dataclasses import dataclass

from argo_retention.core.ledger import LeaseGrant, RowWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class ExistingRow:
    """What stands in the archive under the uid, held until the batch is committed."""

    instanceid: str
    resource_version: int  # of its JSON; 0 where it has none
    digest: str


def refusal_of(write: RowWrite, existing: ExistingRow | None, *, instanceid: str) -> str:
    """Why this write is left alone; "" when it may be done."""
    if existing is None:
        return "row changed meanwhile" if write.expected_digest or write.row is None else ""
    if existing.instanceid != instanceid:
        return f"row belongs to instanceID {existing.instanceid!r}"
    if write.row is not None and existing.resource_version > write.row.resource_version:
        return "the archive has a newer version of it"
    if existing.digest != write.expected_digest:
        return "row changed meanwhile"
    return ""


def check_scope(grant: LeaseGrant, write: RowWrite) -> None:
    """Raise ValueError where a write is not of the lease's cluster and instance, or mixes workflows."""
    scopes = {write.proof.clustername}
    uids = {write.proof.uid}
    if write.row is not None:
        scopes.add(write.row.clustername)
        uids.add(write.row.uid)
        if write.row.instanceid != grant.instanceid:
            raise ValueError(f"row of instanceID {write.row.instanceid!r} under another's lease")
    scopes |= {log.clustername for log in write.logs}
    scopes |= {reference.clustername for reference in write.references}
    uids |= {log.uid for log in write.logs}
    uids |= {reference.uid for reference in write.references}
    if scopes != {grant.clustername} or len(uids) != 1:
        raise ValueError(
            f"uid {write.proof.uid}: a write mixes workflows, or is not of cluster {grant.clustername!r}"
        )
