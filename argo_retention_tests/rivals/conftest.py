"""Worlds as in the end-to-end tests; at the end how many steps there were."""

from collections import Counter

import pytest

from argo_retention_tests.e2e.conftest import servers  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counted: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", ()):
        for name, of_part in report.user_properties:
            if name == "rivals" and report.when == "call":
                counted.update(of_part)
    if counted:
        told = ", ".join(f"{what}: {number}" for what, number in sorted(counted.items()))
        terminalreporter.write_line(f"rivals: {counted.total()} steps ({told})")
