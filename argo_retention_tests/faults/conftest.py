"""Worlds as in the end-to-end tests; at the end how many points were met."""

import pytest

from argo_retention_tests.e2e.conftest import new_seed, servers  # noqa: F401
from argo_retention_tests.faults.points import places


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = [report.nodeid for report in terminalreporter.stats.get("passed", ())]
    met = sum("test_p7_killed_at_a_point" in name for name in passed)
    pairs = sum("test_p7_killed_twice" in name for name in passed)
    servers_died = sum("test_p7_a_server_dies" in name for name in passed)
    for place in places():
        terminalreporter.write_line(f"  {place}")
    terminalreporter.write_line(
        f"{met} of {len(list(places()))} points, {pairs} pairs and {servers_died} deaths of servers: "
        "each was met, and the next run finished"
    )
