import re
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from argo_retention.core.durations import cron_every, format_duration, parse_go_duration, parse_ttl
from argo_retention.errors import ConfigurationError

GOS_LONGEST = (2**63 - 1) // 10**9  # seconds in 64 bits of nanoseconds


def argos_seconds(text):
    """Argo's config/ttl.go in other words: cut the suffix, the rest must be an integer."""
    if text in ("", "0"):
        return 0
    for suffix, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        if text.endswith(suffix):
            rest = text[: -len(suffix)]
            digits = rest[1:] if rest[:1] in ("+", "-") else rest
            if digits and set(digits) <= set("0123456789"):
                return int(rest) * size
            return None
    return None


@given(
    st.one_of(st.text("0123456789dhms+-. _", max_size=8), st.from_regex(r"[+-]?\d{1,4}[dhms]\n?"))
)
@example("110000d")
def test_ttl_text_means_what_it_means_in_argo(text):
    expected = argos_seconds(text)

    if expected is None:
        with pytest.raises(ConfigurationError, match="expected a whole number"):
            parse_ttl(text)
    elif abs(expected) > GOS_LONGEST:
        with pytest.raises(ConfigurationError, match="292 years"):
            parse_ttl(text)
    else:
        assert parse_ttl(text) == timedelta(seconds=expected)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("1h30m", id="two units"),
        pytest.param("1.5h", id="fraction"),
        pytest.param("100ms", id="suffix s leaves 100m"),
        pytest.param("180", id="no unit"),
        pytest.param(180, id="bare YAML number"),
        pytest.param(True, id="boolean"),
        pytest.param(["1d"], id="list"),
        pytest.param("9" * 5000 + "s", id="more digits than Python converts"),
        pytest.param("106752d", id="overflows Go's 64 bits"),
        pytest.param("٣d", id="digits of another script"),
    ],
)
def test_what_argo_refuses_is_refused_with_what_was_expected(value):
    with pytest.raises(ConfigurationError, match=r"expected a whole number|292 years"):
        parse_ttl(value)


@pytest.mark.parametrize("value", [None, "", "0", "0s", "-0d"])
def test_nothing_and_zero_are_zero(value):
    assert parse_ttl(value) == timedelta(0)


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(days=180), "180d"),
        (timedelta(minutes=10), "10m"),
        (timedelta(hours=1, minutes=30), "1h30m"),
        (timedelta(seconds=0.5), "0s"),
        (timedelta(days=-1), "-1d"),
    ],
)
def test_durations_for_people(duration, text):
    assert format_duration(duration) == text


@given(st.integers(-(10**9), 10**9))
def test_a_written_duration_adds_up(seconds):
    text = format_duration(timedelta(seconds=seconds))

    total = sum(
        int(number) * {"d": 86400, "h": 3600, "m": 60, "s": 1}[unit]
        for number, unit in re.findall(r"(\d+)([dhms])", text)
    )
    assert (-total if text.startswith("-") else total) == seconds


@pytest.mark.parametrize(
    ("text", "minutes", "cron"),
    [
        ("1s", 1 / 60, "* * * * *"),
        ("1m", 1, "* * * * *"),
        ("7m", 7, "*/10 * * * *"),
        ("30m", 30, "*/30 * * * *"),
        ("45m", 45, "0 * * * *"),
        ("1h30m", 90, "0 */2 * * *"),
        ("12h", 720, "0 */12 * * *"),
        ("24h0m0s", 1440, "17 3 * * *"),
    ],
)
def test_a_period_becomes_a_cron_that_comes_no_more_often(text, minutes, cron) -> None:
    period = parse_go_duration(text)

    assert period == timedelta(minutes=minutes)
    assert cron_every(period) == cron


@pytest.mark.parametrize("text", ["", "0s", "1.5h", "1d", "-1m", "soon", "9" * 30 + "h"])
def test_what_is_no_period_is_none(text) -> None:
    assert parse_go_duration(text) is None
