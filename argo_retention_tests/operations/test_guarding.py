from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from argo_retention.core.ledger import DatabaseFacts
from argo_retention.errors import ClockSkewError, DatabaseError
from argo_retention.operations.guarding import MAX_CLOCK_SKEW, check_clocks, check_database

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOUND = DatabaseFacts(
    server_version="16",
    schema_version=68,
    is_read_only=False,
    now=NOW,
    missing_rights=(),
    our_tables=True,
)


def test_a_sound_database_passes() -> None:
    check_database(SOUND)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"is_read_only": True}, "is read-only"),
        ({"schema_version": None}, "no table schema_history"),
        ({"schema_version": 67}, "at schema_version 67; this release knows 68"),
        ({"missing_rights": ["DELETE on a", "SELECT on b"]}, "lacks: DELETE on a, SELECT on b"),
        (
            # It is there and may not be read, which must not be called absent.
            {"schema_version": None, "missing_rights": ["SELECT on schema_history"]},
            "lacks: SELECT on schema_history",
        ),
    ],
)
def test_a_database_that_is_not_as_it_must_be_is_refused(
    changes: Mapping[str, object], expected: str
) -> None:
    with pytest.raises(DatabaseError, match=expected):
        check_database(replace(SOUND, **changes))  # type: ignore[arg-type]


@given(st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=2)))
def test_a_clock_may_be_off_by_five_minutes_in_either_direction(skew: timedelta) -> None:
    clocks = {"good": NOW, "theirs": NOW + skew}

    if abs(skew) <= MAX_CLOCK_SKEW:
        check_clocks(NOW, clocks)
    else:
        with pytest.raises(ClockSkewError, match="The clock of theirs says"):
            check_clocks(NOW, clocks)
