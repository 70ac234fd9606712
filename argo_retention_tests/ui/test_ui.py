"""Dagster's UI as a person uses it: the graph, a run by clicks, the plan, schedules and sensors."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from argo_retention_tests.defs.described import location
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


def launch(page: Page, job: str, config: str = "") -> None:
    """Fill in the launchpad of a job for the seed and press its button; the run's page is open then."""
    page.goto(f"/locations/argo_retention/jobs/{job}/playground")
    page.get_by_placeholder("Partition").click()
    page.get_by_text(SEED, exact=True).locator("visible=true").last.click()
    expect(page.get_by_text(f"argo_retention/cluster: {SEED}")).to_be_visible()
    if config:
        page.locator(".CodeMirror").first.click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(config)
        expect(page.get_by_text("No errors")).to_be_visible()
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/*")


def ended(page: Page, word: str) -> None:
    """The run whose page is open has ended like this."""
    expect(page.get_by_text(word, exact=True).first).to_be_visible(timeout=SECONDS * 1000)


def plan_config(plan_id: str) -> str:
    return f"ops:\n  argo__retention_outcome:\n    config:\n      plan_id: '{plan_id}'\n"


def test_the_graph_shows_every_asset_and_edge_of_the_group(page: Page) -> None:
    page.goto("/locations/argo_retention/asset-groups/argo_retention")

    expect(page.get_by_text("Asset Group in")).to_be_visible()
    for name in ASSETS:
        expect(page.get_by_text(name, exact=True).locator("visible=true").first).to_be_visible()
    page.wait_for_timeout(1000)
    picture(page, "asset-graph")
    graph = location().resolve_asset_graph()
    edges = sum(len(graph.get(key).parent_keys) for key in graph.get_all_asset_keys())
    assert page.locator("path[marker-end]").count() == edges


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
    page.wait_for_timeout(1000)  # it fades in
    picture(page, "plan-by-age")


@pytest.mark.timeout(300)
def test_a_plan_id_that_is_wrong_is_refused_in_one_sentence(page: Page, made: Installation) -> None:
    before = made.live(SEED)

    launch(page, "argo_apply_plan", plan_config("0123456789abcdef0123"))

    ended(page, "Failure")
    sentence = "There is no plan 0123456789abcdef0123 for cluster seed."
    expect(page.get_by_text(sentence).first).to_be_visible()
    assert made.live(SEED) == before


@pytest.mark.timeout(300)
def test_a_check_that_fails_is_red_with_its_evidence(page: Page, made: Installation) -> None:
    made.set_clock(900)
    try:
        launch(page, "argo_archive")
        ended(page, "Failure")
    finally:
        made.set_clock(0)

    page.goto("/assets/argo/workflow_snapshot?view=checks&checkDetail=clocks_agree")
    tag = page.get_by_text("Failed", exact=True).last
    expect(tag).to_be_visible()
    red, green, blue = tag.evaluate(
        "tag => getComputedStyle(tag).color.match(/\\d+/g).slice(0, 3).map(Number)"
    )
    assert red > 1.5 * max(green, blue)
    expect(page.get_by_text("s are allowed. Set the clocks (NTP) and run again.")).to_be_visible()
    picture(page, "failed-check")


@pytest.mark.timeout(600)
def test_the_whole_way_of_one_workflow_by_clicks_alone(page: Page, made: Installation) -> None:
    """It finishes; the sensor archives it; a person looks at the plan and applies it; its row and log are there."""
    rows = made.rows(SEED)
    name = made.finish_one_more()
    page.goto(f"/locations/argo_retention/sensors/finished_workflows_sensor_{SEED}")
    with answered(page, "start"):
        page.locator("label:has(input[type=checkbox])").first.click()
    until(page, lambda: made.rows(SEED) == rows + 1)
    assert name in made.live(SEED)

    launch(page, "argo_plan")
    ended(page, "Success")
    page.goto(f"/assets/argo/retention_plan?view=partitions&partition={SEED}")
    expect(page.get_by_text("by_rule_and_namespace")).to_be_visible()
    shown = page.locator("tr", has_text="plan_id").first.inner_text()
    [plan_id] = re.findall(r"\b[0-9a-f]{20}\b", shown)
    launch(page, "argo_apply_plan", plan_config(plan_id))
    ended(page, "Success")

    assert len(made.live(SEED)) == KEEP
    page.goto(f"/assets/argo/archived_workflows?view=partitions&partition={SEED}")
    expect(page.locator("tr", has_text="dagster/row_count").last).to_contain_text(str(rows + 1))
    page.goto(f"/assets/argo/log_objects?view=partitions&partition={SEED}")
    expect(page.locator("tr", has_text="dagster/row_count").last).to_contain_text(str(rows + 1))


def until(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait, with the page alive."""
    deadline = time.monotonic() + 2 * SECONDS
    while not is_so():
        assert time.monotonic() < deadline
        page.wait_for_timeout(1000)


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
