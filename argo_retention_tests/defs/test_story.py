"""The log of a run: counts in words, exceptions by name, the rest as details."""

import logging

import pytest

from argo_retention.defs.story import counted, name_exceptions

LOG = logging.getLogger("tests.story")


def test_counts_are_words_most_first_without_those_that_are_0() -> None:
    assert counted({"changed": 1, "deleted": 1200, "gone": 0}) == "1,200 deleted, 1 changed"
    assert counted({"deleted": 0}) == "nothing"


def test_the_first_exceptions_are_warnings_and_some_more_are_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rows = [(f"ci/build-{n}", "held", "is held: incident" if n else "") for n in range(300)]

    with caplog.at_level(logging.DEBUG, logger=LOG.name):
        name_exceptions(LOG, rows)

    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warnings[:2] == ["ci/build-0: held", "ci/build-1: held: is held: incident"]
    assert warnings[-1] == "And 280 more; the table `exceptions` of the asset names the first 50."
    assert len(warnings) == 21
    assert sum(1 for r in caplog.records if r.levelno == logging.DEBUG) == 180
