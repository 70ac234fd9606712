"""What a run's log says while a stage is at work."""

import logging

import pytest

from argo_retention.operations.site import no_progress
from argo_retention.operations.telling import telling

LOG = logging.getLogger("tests.telling")


def told(caplog: pytest.LogCaptureFixture, *calls: tuple[float, str, int, int | None]) -> list[str]:
    at = 0.0
    tell = telling(LOG, no_progress, now=lambda: at)
    with caplog.at_level(logging.INFO, logger=LOG.name):
        for at, stage, done, total in calls:  # noqa: B007 - `at` is the clock
            tell(stage, done, total)
    return [record.getMessage() for record in caplog.records]


def test_a_long_stage_tells_how_far_and_how_fast_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = told(
        caplog,
        (0, "archive", 0, 20_000),
        (1, "archive", 1_300, 20_000),
        (5, "archive", 6_500, 20_000),
        (6, "archive", 7_800, 20_000),
        (10, "archive", 12_000, None),
        (16, "archive", 20_000, 20_000),
    )

    assert lines == [
        "archive: 6,500 of 20,000, 1,300 a second",
        "archive: 12,000, 1,200 a second",
        "archive: 20,000, 1,250 a second",
    ]


def test_each_stage_has_its_own_clock_and_a_short_one_says_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    lines = told(caplog, (0, "snapshot", 5, 5), (4, "archive", 0, 9), (8.5, "archive", 9, 9))

    assert lines == []


def test_whoever_looks_is_told_all_and_a_log_that_fails_stops_nothing() -> None:
    seen = []
    broken = logging.getLogger("tests.telling.broken")
    broken.info = None  # type: ignore[assignment,method-assign]
    at = 0.0
    tell = telling(broken, lambda *said: seen.append(said), now=lambda: at)

    tell("delete", 0, 2)
    at = 9.0
    tell("delete", 2, 2)

    assert seen == [("delete", 0, 2), ("delete", 2, 2)]
