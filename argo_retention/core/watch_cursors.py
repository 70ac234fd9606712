"""What the sensor of finished workflows remembers from one tick to the next, and when it asks for a run.

It is JSON in Dagster's own storage: versions, uids and times, nothing of a workflow's content.
"""

import itertools
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

import msgspec

FORM = 2
#: Waiting workflows that are remembered by uid; with more than these a run is asked for in any case.
REMEMBERED = 1000
FIRST_PAUSE = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(hours=1)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What an installation manages: the list or watch of its workflows."""

    selector: str
    namespace: str | None


class WatchCursor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where to go on; each method returns the next one."""

    form: int
    server: str  # which API server: versions of another one mean nothing here
    scope: Scope | None = None
    scope_until: datetime | None = None
    version: str = ""  # to watch on from; "" asks for a list
    settled: str = ""  # the server's version at the last tick: no event before it is still to come
    waiting: Mapping[str, datetime] = {}  # uid → when it was seen; no run was asked for these
    asked: str = ""  # run key of a request whose run has not been seen yet
    relied_on: str = ""  # id of the run that archives what was waiting
    failures: int = 0  # in a row: of the server, or of the runs relied on
    not_before: datetime | None = None
    trouble: str = ""  # what the last failure was
    is_failing: bool = False  # what the check said last
    is_late: bool | None = None  # what the check of the last archive said last
    changed: bool = True  # since the last report
    reported_at: datetime | None = None

    def put_off(self, now: datetime, *, trouble: str) -> "WatchCursor":
        """After a failure: each pause is twice the last one."""
        pause = min(FIRST_PAUSE * 2 ** min(self.failures, 10), LONGEST_PAUSE)
        return msgspec.structs.replace(
            self, failures=self.failures + 1, not_before=now + pause, trouble=trouble
        )

    def with_seen(
        self, finished: AbstractSet[str], gone: AbstractSet[str], *, now: datetime, listed: bool
    ) -> "WatchCursor":
        """These uids wait for a run now; after a list they are all that wait."""
        known = self.waiting
        left = {} if listed else {uid: at for uid, at in known.items() if uid not in gone}
        for uid in finished:
            left.setdefault(uid, known.get(uid, now))
        kept = dict(itertools.islice(left.items(), REMEMBERED))
        changed = self.changed or listed or bool(finished or gone)
        return msgspec.structs.replace(self, waiting=kept, changed=changed)

    def covered_by(self, run_id: str, started_at: datetime | None) -> "WatchCursor":
        """A run that archives is queued, or began then: what was seen before waits for that run only."""
        left = {
            uid: seen
            for uid, seen in self.waiting.items()
            if started_at is not None and seen >= started_at
        }
        relied_on = run_id if len(left) < len(self.waiting) else self.relied_on
        return msgspec.structs.replace(self, waiting=left, relied_on=relied_on, asked="")

    def batch_is_due(self, now: datetime, *, min_batch: int, max_wait: timedelta) -> bool:
        """Whether enough workflows wait, or one has waited long enough."""
        return bool(self.waiting) and (
            len(self.waiting) >= min(min_batch, REMEMBERED) or now >= self.due_at(max_wait)
        )

    def due_at(self, max_wait: timedelta) -> datetime:
        """When the one that waits longest has waited long enough."""
        return min(self.waiting.values()) + max_wait


def encode(cursor: WatchCursor) -> str:
    """The text for Dagster's storage."""
    return msgspec.json.encode(cursor).decode()


def decode(text: str, *, server: str) -> tuple[WatchCursor, str]:
    """The cursor, and why it begins anew ("" where it goes on)."""
    anew = WatchCursor(form=FORM, server=server)
    if not text:
        return anew, "this is the first look"
    try:
        cursor = msgspec.json.decode(text, type=WatchCursor)
    except msgspec.MsgspecError:
        return anew, "the cursor is of another release"
    if cursor.form != FORM:
        return anew, "the cursor is of another release"
    if cursor.server != server:
        return anew, "the cursor is of another API server"
    return cursor, ""
