"""Whether a log object may be deleted together with its row (promise P4)."""

from collections.abc import Collection

from argo_retention.core.log_keys import key_contains_uid


def object_guard(
    key: str,
    *,
    uid: str,
    others: Collection[str],
    live_namesakes: Collection[str],
    exclusive_bucket: bool,
    owner_in_metadata: str,
) -> str:
    """Why the object must stay; "" when it may go (its ETag is compared by the store when it goes).

    Asked only when the references of all rows, Argo's too, are known.

    Args:
        key: of the object.
        uid: of the workflow that expires.
        others: uids of workflows that name this object in one of their nodes and do not expire now.
        live_namesakes: uids of other live workflows that may name it without a reference yet.
        exclusive_bucket: whether nobody outside this database writes into the bucket.
        owner_in_metadata: uid in the object's own metadata now; "" where there is none.
    """
    if others:
        return f"workflow {min(others)} names it too"
    if live_namesakes:
        return f"live workflow {min(live_namesakes)} has the same name and may use the same key"
    if exclusive_bucket or key_contains_uid(key, uid):
        return ""
    # What we wrote ourselves carries the uid; whoever overwrites it takes that away.
    if owner_in_metadata and owner_in_metadata == uid:
        return ""
    return "its key has no uid and bucket.exclusive is false"
