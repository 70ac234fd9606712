"""Worlds as in the end-to-end tests; at the end how many steps there were."""

import pytest

from argo_retention_tests.e2e.conftest import servers  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.stats.get("passed", ()):
        for name, counted in report.user_properties:
            if name == "rivals":
                told = ", ".join(f"{number} {what}s" for what, number in sorted(counted.items()))
                terminalreporter.write_line(f"rivals: {sum(counted.values())} steps ({told})")
