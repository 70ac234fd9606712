"""Each effect that a run has on the outside, by the method of the port that it passes, and where it is met."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from argo_retention.defs.jobs import EXPIRY_JOB, RETENTION_JOB
from argo_retention_tests.e2e.crashing import Point

#: Job → port → methods with an effect that the job passes in the world of these tests.
EFFECTS = {
    RETENTION_JOB: {
        "archive": (
            "migrate",
            "acquire_lease",
            "begin_run",
            "record_snapshot",
            "record_logs",
            "write_rows",
            "record_patched",
            "record_plan",
            "forget",
            "claim_plan",
            "record_deletions",
            "release_lease",
        ),
        "cluster": ("mark_archived", "delete_workflows"),
        "pace": ("turn",),  # one DELETE
        "bucket": ("put_if_absent", "put_stream"),
        "tables": ("write", "write_bytes"),
        "events": ("handle_new_event",),
    },
    EXPIRY_JOB: {
        "archive": (
            "acquire_lease",
            "begin_run",
            "record_snapshot",
            "record_plan",
            "claim_plan",
            "backfill_references",
            "record_units",
            "expire_rows",
            "release_lease",
        ),
        "bucket": ("delete",),
        "tables": ("write", "write_bytes", "write_stream", "remove"),
        "events": ("handle_new_event",),
    },
}
#: Effects that no job has, or that say nothing but that a run lives.
LEFT_OUT = {
    "heartbeat": "a time stamp every ten seconds; a lease without it is stale, which has its own tests",
    "accept": "a command, one transaction",
    "add_hold": "a command, one statement",
    "release_hold": "a command, one statement",
    "pause": "a command, one statement",
    "resume": "a command, one statement",
}
#: Which calls of a method: most effects come once a batch, so the second meets some done and some not.
SECOND = {
    "record_logs",
    "write_rows",
    "record_deletions",
    "mark_archived",
    "turn",
    "put_if_absent",
    "put_stream",
    "write",
    "write_bytes",
    "write_stream",
    "record_units",
    "expire_rows",
    "delete",
}
EVENTS = (3, 12)  # of Dagster: soon after the start, and in the middle


@dataclass(frozen=True, kw_only=True)
class Place:
    """One named point of one job."""

    job: str
    point: Point

    def __str__(self) -> str:
        return f"{self.job}: {self.point.port}.{self.point.method}, {self.point}"


def places() -> Iterator[Place]:
    """Before and after each effect, at its first call and where there are more at its second."""
    for job, ports in EFFECTS.items():
        for port, methods in ports.items():
            for method, after in product(methods, (False, True)):
                for call in _calls(method):
                    point = Point(port=port, method=method, call=call, after=after)
                    yield Place(job=job, point=point)


def _calls(method: str) -> tuple[int, ...]:
    if method == "handle_new_event":
        return EVENTS
    return (1, 2) if method in SECOND else (1,)
