"""One installation and one browser for all tests; `make test-ui`."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from argo_retention_tests.ui.installation import Installation, installation

IMAGES = Path(__file__).parent.parent.parent / "docs" / "images"
CHROMIUM = shutil.which("chromium") or ""


@pytest.fixture(scope="session")
def made() -> Iterator[Installation]:
    with installation() as started:
        yield started


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser, made: Installation) -> Iterator[object]:  # type: ignore[no-untyped-def]
    """A page whose console must stay without an error."""
    errors: list[str] = []
    opened = browser.new_page(viewport={"width": 1400, "height": 900}, base_url=made.address)
    opened.set_default_timeout(30_000)
    opened.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    toasts = opened.locator('[data-type="error"], .bp5-toast.bp5-intent-danger').all_inner_texts()
    opened.close()
    assert errors == []
    assert toasts == []


def pytest_terminal_summary(terminalreporter) -> None:  # type: ignore[no-untyped-def]
    version = subprocess.run(
        [CHROMIUM, "--version"], capture_output=True, text=True, check=False
    ).stdout.split()
    stats = terminalreporter.stats
    passed, skipped = len(stats.get("passed", ())), len(stats.get("skipped", ()))
    number = version[1] if len(version) > 1 else "?"
    terminalreporter.write_line(f"{passed} passed, {skipped} skipped on Chromium {number}")
