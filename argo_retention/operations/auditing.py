"""What a run deleted, line by line, in files outside the database that are only ever added to."""

import secrets
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from argo_retention.core.ledger import Deletion, ExpiryUnit
from argo_retention.operations.site import Site

FOLDER = "audit"


class Audit:
    """Files of one run, one for each batch (S3 cannot append). Safe to call from many threads."""

    def __init__(self, site: Site) -> None:
        """Nothing is written yet."""
        self._site = site
        self._lock = threading.Lock()
        self._number = 0

    def deletions(self, outcomes: Iterable[Deletion]) -> None:
        """What became of workflows in the cluster. Raises ObjectStoreError."""
        self._write("deletion", outcomes)

    def expired(self, units: Iterable[ExpiryUnit]) -> None:
        """Rows, labels and log objects that are gone. Raises ObjectStoreError."""
        self._write("expiry", units)

    def _write(self, what: str, records: Iterable[Deletion | ExpiryUnit]) -> None:
        at = self._site.clock()
        lines = [_line({"what": what, "at": at}, record) for record in records]
        if lines:
            self._site.tables.write_text(self._path(), "".join(lines))

    def _path(self) -> str:
        with self._lock:
            self._number += 1
            number = self._number
        site = self._site
        name = f"{number:04d}-{secrets.token_hex(4)}.ndjson"
        return f"{FOLDER}/{site.installation.partition}/{site.run_id}/{name}"


def _line(head: Mapping[str, Any], record: Deletion | ExpiryUnit) -> str:
    fields = msgspec.structs.asdict(record)
    return msgspec.json.encode({**fields, **head}).decode() + "\n"
