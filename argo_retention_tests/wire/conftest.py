"""Worlds behind wires; at the end what the wires did."""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from argo_retention_tests.e2e.conftest import servers  # noqa: F401
from argo_retention_tests.e2e.worlds import Servers
from argo_retention_tests.wire.world import Wires, shorten_waits, small_pages, wired_world

ROUNDS = int(os.environ.get("ARGO_RETENTION_TEST_ROUNDS") or "40")
MET = "faults of the wire"
WiredWorld = Callable[..., Wires]


@pytest.fixture
def wired(
    servers: Servers,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[..., None],
) -> Iterator[WiredWorld]:
    """Makes a small seed behind wires, in small pages and with short waits."""
    shorten_waits(monkeypatch)
    small_pages(monkeypatch)
    made: list[Wires] = []
    with contextlib.ExitStack() as stack:

        def make(**options: object) -> Wires:
            made.append(stack.enter_context(wired_world(servers, tmp_path, **options)))
            return made[-1]

        yield make
        for wires in made:
            record_property(MET, [each.split(" ")[0] for each in wires.done])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    met: Counter[str] = Counter()
    rounds = 0
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, kinds in getattr(report, "user_properties", ()):
                if name == MET and report.when == "teardown":
                    met.update(kinds)
            if "test_p1_nothing_is_lost_in_round" in getattr(report, "nodeid", ""):
                rounds += report.when == "call" and report.passed
    if met:
        told = ", ".join(f"{kind} {number}" for kind, number in sorted(met.items()))
        terminalreporter.write_line(f"  faults met: {met.total()} ({told})")
        terminalreporter.write_line(
            f"{rounds} of {ROUNDS} rounds: 0 lost, 0 orphaned, 0 half, 0 unexplained"
        )
