"""Random faults of a network, by seed: the same seed makes the same faults."""

import random
from collections.abc import Callable

from argo_retention_tests.wire.http_wire import HttpFault
from argo_retention_tests.wire.tcp_wire import TcpFault
from argo_retention_tests.wire.world import SHORTER, Wires

STALL_SECONDS = 30.0 / SHORTER
STATUSES = (408, 409, 410, 429, 500, 503, 504)
#: What the jobs ask, so that a fault is met.
API_TARGETS = (
    ("GET", r"/workflows\?"),
    ("GET", r"/workflows\?"),
    ("GET", r"/workflows/"),
    ("GET", r"/pods/[^/]+/log"),
    ("GET", r"/pods"),
    ("GET", r"/configmaps|/secrets"),
    ("GET", r"/namespaces"),
    ("DELETE", r"/workflows/"),
    ("DELETE", r"/workflows/"),
    ("PATCH", r"/workflows/"),
)
S3_TARGETS = (
    ("PUT", r"hello-world"),
    ("PUT", r"argo-retention"),
    ("HEAD", ""),
    ("GET", r"argo-retention"),
    ("GET", r"list-type"),
    ("DELETE", ""),
)
HTTP_KINDS = (
    *("reset", "cut_request", "lose_answer", "cut_answer", "reset_answer", "truncate"),
    *("silence", "stall", "slow"),
)
PAGE_KINDS = ("page_again", "page_missing", "dead_token")
TRIGGERS = (
    b"COPY ",
    b"INSERT INTO",
    b"UPDATE ",
    b"DELETE FROM",
    b"COMMIT",
    b"SELECT ",
    b"FOR SHARE",
)


def put_faults(wires: Wires, seed: int, *, part: str) -> None:
    """One to four faults on the three wires."""
    chance = random.Random(f"wire {seed} {part}")
    makers: tuple[Callable[[random.Random, Wires], None], ...] = (_api, _api, _s3, _database)
    for _ in range(chance.randint(1, 4)):
        chance.choice(makers)(chance, wires)


def _http(chance: random.Random, targets: tuple[tuple[str, str], ...], *, pages: bool) -> HttpFault:
    method, path = chance.choice(targets)
    which = chance.random()
    skip, times = chance.choice((0, 0, 1, 2, 5)), chance.choice((1, 1, 2, 50))
    if pages and which < 0.2:
        kind = chance.choice(PAGE_KINDS)
        return HttpFault(
            kind=kind, method="GET", path=r"/workflows\?", skip=chance.randint(0, 2), times=times
        )
    if which < 0.5:
        return HttpFault(
            kind="status",
            method=method,
            path=path,
            skip=skip,
            times=times,
            status=chance.choice(STATUSES),
            retry_after=chance.choice((None, 1)),
        )
    kind = chance.choice(HTTP_KINDS)
    if kind == "truncate" and path.endswith("log"):
        kind = "cut_answer"  # a log that is shorter and framed as whole cannot be told from a whole one
    if kind in {"silence", "stall", "slow"}:
        times = 1
    return HttpFault(
        kind=kind, method=method, path=path, skip=skip, times=times, seconds=STALL_SECONDS
    )


def _api(chance: random.Random, wires: Wires) -> None:
    wires.api.faults.append(_http(chance, API_TARGETS, pages=True))


def _s3(chance: random.Random, wires: Wires) -> None:
    wires.s3.faults.append(_http(chance, S3_TARGETS, pages=False))


def _database(chance: random.Random, wires: Wires) -> None:
    kind = chance.choice(("cut", "cut", "reset", "stall", "silence", "refuse"))
    wires.database.faults.append(
        TcpFault(
            kind=kind,
            of_server=chance.random() < 0.3,
            trigger=b"" if chance.random() < 0.3 else chance.choice(TRIGGERS),
            skip=chance.choice((0, 0, 1, 3, 10)),
            after_bytes=chance.choice((0, 5, 200, 3000)),
            seconds=STALL_SECONDS,
        )
    )
