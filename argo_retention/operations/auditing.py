"""What a run deleted, line by line, in files outside the database that are only ever added to.

NDJSON, a struct of the ledger a line, compressed as DuckDB, Spark and zcat read it. A line comes at least
once: before the ledger closes its intent, before rows go. So after a kill one may be there twice, and a row
that changed in that very moment gets a second one, which says that it stayed.
"""

import gzip
import secrets
import threading
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import structs

from argo_retention.core.ledger import Deletion, ExpiryUnit
from argo_retention.operations.site import Site

FOLDER = "audit"

_LINES = msgspec.json.Encoder()


class Audit:
    """Files of one run, one for each batch (S3 cannot append). Safe to call from many threads."""

    def __init__(self, site: Site) -> None:
        """Nothing is written yet."""
        self._site = site
        self._lock = threading.Lock()
        self._number = 0

    def deletions(self, outcomes: Iterable[Deletion]) -> None:
        """What became of workflows in the cluster. Raises ObjectStoreError."""
        now = self._site.clock()
        self._write("deletions", [structs.replace(each, at=now) for each in outcomes])

    def expired(self, units: Iterable[ExpiryUnit], *, stage: str) -> None:
        """Rows that are `going`, before they do, or that `stayed` after all. Raises ObjectStoreError."""
        now = self._site.clock()
        self._write("expired", [structs.replace(each, at=now, stage=stage) for each in units])

    def _write(self, what: str, records: Sequence[Deletion | ExpiryUnit]) -> None:
        if records:
            lines = gzip.compress(_LINES.encode_lines(records), compresslevel=1, mtime=0)
            self._site.tables.write_bytes(self._path(what), lines)

    def _path(self, what: str) -> str:
        with self._lock:
            self._number += 1
            number = self._number
        site = self._site
        name = f"{what}-{number:04d}-{secrets.token_hex(4)}.ndjson.gz"
        return f"{FOLDER}/{site.installation.partition}/{site.run_id}/{name}"
