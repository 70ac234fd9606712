"""Rows of what is deleted, kept outside the database for a while: written before, found, put back."""

import secrets
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from argo_retention.core.ledger import Deletion, ExpiryUnit, LeaseGrant, RowWrite
from argo_retention.core.log_references import named_objects
from argo_retention.core.logs import LogReference
from argo_retention.core.manifests import decode
from argo_retention.core.proofs import ProvenVersion, facts_of
from argo_retention.core.undo import UNDO_SCHEMA, Kept, from_record, to_record
from argo_retention.errors import ConfigurationError, DatabaseError
from argo_retention.operations.site import Site

FOLDER = "undo"
DELETED, EXPIRED, LOG = "deleted", "expired", "log"
ROWS = {DELETED, EXPIRED}
#: What was kept while `undo` was set goes at this age when it is 0 now, not at once.
KEPT_WHEN_OFF = timedelta(days=14)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """One file of rows."""

    path: str
    run_id: str
    kind: str
    written_at: datetime
    rows: int


class RowKeeper:
    """Keeps rows of one run, a file a batch; nothing where `undo` is 0. Safe to call from many threads."""

    def __init__(self, site: Site, *, kind: str) -> None:
        """Nothing is written yet."""
        self._site = site
        self._kind = kind
        self._lock = threading.Lock()
        self._number = 0

    def keep(self, going: Sequence[Deletion | ExpiryUnit]) -> None:
        """Write the rows of these as they stand now; raises ObjectStoreError, DatabaseError.

        The caller deletes nothing of the batch unless this returned.
        """
        site = self._site
        if not going or not kept_for(site, self._kind):
            return
        by_uid = {each.uid: each for each in going}
        rows = site.archive.whole_rows(clustername=site.installation.clustername, uids=list(by_uid))
        if not rows:
            return  # expired while they were live, so there is nothing to keep
        now = site.clock()
        records = [
            to_record(
                Kept(
                    row=row,
                    kind=self._kind,
                    reason=by_uid[row.uid].reason,
                    plan_id=by_uid[row.uid].plan_id,
                    run_id=site.run_id,
                    by_whom=site.by_whom,
                    at=now,
                )
            )
            for row in rows
        ]
        site.tables.write(self._path(), UNDO_SCHEMA, [records])

    def _path(self) -> str:
        with self._lock:
            self._number += 1
            number = self._number
        # A step that is run again has the same run id, and must not replace what it kept before.
        name = f"{self._kind}-{number:04d}-{secrets.token_hex(4)}.parquet"
        return f"{folder_of(self._site)}/{self._site.run_id}/{name}"


def kept_for(site: Site, kind: str) -> timedelta:
    """How long rows of this kind are kept; zero: not at all."""
    settings = site.installation.settings
    return settings.retention.undo if kind == DELETED else settings.expiry.undo


def kept_files(site: Site) -> Iterator[KeptFile]:
    """What was kept, newest first; needs no database."""
    written = site.tables.written(folder_of(site))
    for path, at in sorted(written.items(), key=lambda each: (each[1], each[0]), reverse=True):
        run_id = path.split("/")[-2]
        if _kind(path) not in ROWS:
            continue
        rows = sum(len(batch) for batch in site.tables.read(path))
        yield KeptFile(path=path, run_id=run_id, kind=_kind(path), written_at=at, rows=rows)


def kept_rows(site: Site, path: str) -> Iterator[Kept]:
    """The rows of one file."""
    for batch in site.tables.read(path):
        yield from map(from_record, batch)


def find_kept(site: Site, uid: str) -> Kept:
    """The latest row kept of a uid; needs no database. Raises ConfigurationError where there is none."""
    written = site.tables.written(folder_of(site))
    files = [path for path in written if _kind(path) in ROWS]
    for path in sorted(files, key=lambda path: written[path], reverse=True):
        for kept in kept_rows(site, path):
            if kept.row.uid == uid:
                return kept
    raise ConfigurationError(
        f"Cluster {site.installation.partition}: no row of uid {uid} is kept below "
        f"{site.tables.uri(folder_of(site))}.\n"
        f"`argo-retention undo list {site.installation.partition}` shows what is; rows are kept for "
        "retention.undo, expired ones for expiry.undo."
    )


def restore_row(site: Site, grant: LeaseGrant, kept: Kept) -> None:
    """Put the row back into Argo's archive, with labels, proof and references.

    Raises DatabaseError where a row of this uid is there: nothing is overwritten.
    """
    installation = site.installation
    uid, clustername = kept.row.uid, kept.row.clustername
    written = site.archive.write_rows(
        grant,
        [
            RowWrite(
                row=kept.row,
                expected_digest="",
                proof=ProvenVersion(
                    clustername=clustername,
                    uid=uid,
                    resource_version=kept.row.resource_version,
                    digest="",
                    proven_at=kept.at,
                    facts=facts_of(decode(kept.row.workflow)),
                ),
                logs=(),
                references=_references(objects_of(site, kept), clustername, uid),
            )
        ],
    )
    refusal = written[0].refusal
    if refusal:
        raise DatabaseError(
            f"Cluster {installation.partition}: the row of uid {uid} was not put back: {refusal}.\n"
            f"There is one already: argo-retention explain {uid}"
        )


def objects_of(site: Site, kept: Kept) -> list[tuple[str, str]]:
    """(bucket, key) of each log object that a kept row names."""
    repository = site.installation.repository
    bucket = repository.s3.bucket if repository is not None and repository.s3 is not None else ""
    return list(named_objects(decode(kept.row.workflow), repository_bucket=bucket))


def throw_away(site: Site) -> int:
    """Remove what was kept long enough; how many files. What cannot be read by its name stays."""
    now = site.clock()
    removed = 0
    for path, at in site.tables.written(folder_of(site)).items():
        kind = _kind(path)
        if kind not in {*ROWS, LOG}:
            continue
        if now - at > (kept_for(site, kind) or KEPT_WHEN_OFF):
            site.tables.remove(path)
            removed += 1
    return removed


def _references(
    objects: Sequence[tuple[str, str]], clustername: str, uid: str
) -> list[LogReference]:
    return [
        LogReference(bucket=bucket, key=key, clustername=clustername, uid=uid)
        for bucket, key in objects
    ]


def folder_of(site: Site) -> str:
    """Where all is kept, below `storage.uri`."""
    return f"{FOLDER}/{site.installation.partition}"


def _kind(path: str) -> str:
    return path.rpartition("/")[2].partition("-")[0]
