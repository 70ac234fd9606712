"""May this log object be deleted together with its row? (promise P4)"""

from collections.abc import Collection

from argo_retention.core.log_keys import key_contains_uid
from argo_retention.core.logs import LogRecord


def object_guard(
    record: LogRecord,
    *,
    others: Collection[str],
    backfill_complete: bool,
    live_namesakes: Collection[str],
    exclusive_bucket: bool,
    owner_in_metadata: str,
) -> str:
    """Why the object must stay; "" when it may go (its ETag is compared by the store when it goes).

    Args:
        record: what the ledger recorded of the object.
        others: uids of other workflows that name this object in one of their nodes.
        backfill_complete: whether the references of all rows that Argo wrote are known.
        live_namesakes: uids of other live workflows of this name that may name it without a reference yet.
        exclusive_bucket: whether nobody outside this database writes into the bucket.
        owner_in_metadata: uid in the object's own metadata now; "" where there is none.
    """
    if not record.etag:
        return "no ETag was recorded for it"
    if not backfill_complete:
        return "the references of Argo's own rows are not all known yet"
    if others:
        return f"workflow {min(others)} names it too"
    if live_namesakes:
        return f"live workflow {min(live_namesakes)} has the same name and may use the same key"
    if exclusive_bucket or key_contains_uid(record.key, record.uid):
        return ""
    # What we wrote ourselves carries the uid; whoever overwrites it takes that away.
    if owner_in_metadata == record.uid:
        return ""
    return "its key has no uid and bucket.exclusive is false"
