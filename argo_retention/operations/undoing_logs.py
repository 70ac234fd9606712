"""Log objects of what expires, kept with its rows when that is wanted, and put back where they were."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from argo_retention.core.ports.log_store import LogStore
from argo_retention.core.undo import Kept
from argo_retention.operations.expiring_objects import store_of
from argo_retention.operations.log_tasks import METADATA_UID
from argo_retention.operations.saving_logs import ONE_PUT_LIMIT, read_up_to
from argo_retention.operations.site import Site
from argo_retention.operations.undoing import LOG, folder_of, objects_of


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsBack:
    """How many log objects of a row were put back, were there, and are kept nowhere."""

    back: int = 0
    there: int = 0
    not_kept: int = 0


def keep_log(site: Site, store: LogStore, key: str) -> None:
    """Copy an object below `undo/`, where `expiry.undo_logs` says so. Raises ObjectStoreError.

    The caller deletes the object only after this returned.
    """
    if site.installation.settings.expiry.undo_logs:
        path = f"{folder_of(site)}/{site.run_id}/{_name(store.bucket, key)}"
        site.tables.write_stream(path, store.stream(key))


def restore_logs(site: Site, kept: Kept) -> LogsBack:
    """Put the log objects that a kept row names where they were. Raises ObjectStoreError.

    What is there stays as it is. To be called before the row is put back, so that it may be called again.
    """
    row = kept.row
    paths = _kept_logs(site)
    back = there = not_kept = 0
    for bucket, key in objects_of(site, kept):
        path = paths.get(_name(bucket, key))
        store = store_of(site, bucket, namespace=row.namespace)
        if store.head(key) is not None:
            there += 1
        elif path is None:
            not_kept += 1
        elif _put(store, key, site.tables.read_stream(path), {METADATA_UID: row.uid}):
            back += 1
        else:
            there += 1
    return LogsBack(back=back, there=there, not_kept=not_kept)


def _put(store: LogStore, key: str, pieces: Iterator[bytes], metadata: Mapping[str, str]) -> bool:
    """Whether it was put; a short one on the condition that nobody did meanwhile."""
    body, is_whole = read_up_to(pieces, ONE_PUT_LIMIT)
    if is_whole:
        return store.put_if_absent(key, body, metadata=metadata).created
    return store.put_stream(key, chain([body], pieces), metadata=metadata).created


def _kept_logs(site: Site) -> Mapping[str, str]:
    """Name of a kept object → its newest path."""
    written = site.tables.written(folder_of(site))
    oldest_first = sorted(written, key=lambda path: written[path])
    return {path.rpartition("/")[2]: path for path in oldest_first}


def _name(bucket: str, key: str) -> str:
    # A digest: a key may be as long as S3 lets it be, and hold anything.
    return f"{LOG}-{sha256(f'{bucket}/{key}'.encode()).hexdigest()}"
