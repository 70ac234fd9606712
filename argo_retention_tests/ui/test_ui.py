"""Dagster's UI as a person uses it: the graph, a run by clicks, the plan, schedules and sensors."""

import time

import pytest
from playwright.sync_api import Page, expect

from argo_retention_tests.ui.conftest import IMAGES
from argo_retention_tests.ui.installation import HELLO_WORLDS, KEEP, SEED, Installation

ASSETS = (
    "live_workflows",
    "pod_logs",
    "workflow_snapshot",
    "log_objects",
    "archived_workflows",
    "retention_plan",
    "retention_outcome",
    "expiry_plan",
    "expiry_outcome",
)
SECONDS = 75


def picture(page: Page, name: str) -> None:
    """For the README."""
    IMAGES.mkdir(exist_ok=True)
    page.screenshot(path=IMAGES / f"{name}.png")


def answered(page: Page, word: str):  # type: ignore[no-untyped-def]
    """Until the webserver has answered the mutation of this name: leaving the page would give it up."""
    return page.expect_response(
        lambda answer: (
            "mutation" in (answer.request.post_data or "")
            and word in (answer.request.post_data or "").lower()
        )
    )


def test_the_graph_shows_every_asset(page: Page) -> None:
    page.goto("/locations/argo_retention/asset-groups/argo_retention")

    for name in ASSETS:
        expect(page.get_by_text(name, exact=True).locator("visible=true").first).to_be_visible()
    page.wait_for_timeout(1000)
    picture(page, "asset-graph")


@pytest.mark.timeout(300)
def test_a_run_by_clicks_leaves_three_hello_worlds(page: Page, made: Installation) -> None:
    assert len(made.live(SEED)) == HELLO_WORLDS
    page.goto("/locations/argo_retention/jobs/argo_retention")
    page.get_by_role("button", name="Materialize all").first.click()
    page.get_by_text("Select a partition or create one").click()
    page.get_by_text(SEED, exact=True).locator("visible=true").last.click()
    page.get_by_text("Partition selection").click(force=True)  # the list closes
    with answered(page, "launch"):
        page.get_by_role("button", name="Launch 1 run").click()

    page.goto("/runs")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=SECONDS * 1000)

    assert len(made.live(SEED)) == KEEP
    assert made.rows(SEED) == HELLO_WORLDS


def test_the_plan_is_a_table_and_a_picture(page: Page) -> None:
    page.goto(f"/assets/argo/retention_plan?view=partitions&partition={SEED}")

    expect(page.get_by_text("by_rule_and_namespace")).to_be_visible()
    reason = page.get_by_text("is number 10 of the Succeeded ones by creation, 3 are kept")
    expect(reason.first).to_be_visible()
    page.get_by_text("[Show Markdown]").first.click()
    shown = page.locator('img[src^="data:image/png;base64,"]')
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.naturalWidth") > 400
    picture(page, "plan-by-age")


@pytest.mark.timeout(300)
def test_a_schedule_and_a_sensor_are_switched_on_and_the_sensor_ticks(
    page: Page, made: Installation
) -> None:
    for place in (
        "schedules/argo_retention_schedule_seed",
        "sensors/finished_workflows_sensor_fleet",
    ):
        page.goto(f"/locations/argo_retention/{place}")
        expect(page.get_by_text("Running", exact=True).first).to_be_visible()
        with answered(page, "start"):
            page.locator("label:has(input[type=checkbox])").first.click()

    deadline = time.monotonic() + SECONDS
    while not page.get_by_text("1 run requested").first.is_visible():
        assert time.monotonic() < deadline
        page.wait_for_timeout(1000)
    picture(page, "sensor")
    page.goto("/assets/argo/live_workflows?view=partitions&partition=fleet")
    expect(page.get_by_text("waiting_to_be_archived")).to_be_visible()
