"""Argo's TTL text (`180d`, `10m`), read exactly as Argo reads it, and durations for people.

Argo's grammar is narrower than it looks: one unit only, and the number must be an integer. `1h30m`, `1.5h`,
`180` and a bare YAML number are errors there, so they are errors here.
"""

import re
from datetime import timedelta

from argo_retention.errors import ConfigurationError

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_TTL = re.compile(r"([+-]?[0-9]+)([dhms])")
_EXPECTED = 'expected a whole number with one of the units d, h, m, s (for example "180d"), or "0"'
# Go holds a duration in 64 bits of nanoseconds; Argo wraps around silently beyond that.
_LONGEST_SECONDS = (2**63 - 1) // 10**9


def parse_ttl(text: object) -> timedelta:
    """Read a TTL as Argo does; `""`, `"0"` and null are zero, which Argo takes as "never expire".

    Raises ConfigurationError, which says what was expected, for anything that Argo refuses.
    """
    if text is None or text in ("", "0"):
        return timedelta(0)
    if not isinstance(text, str):
        raise ConfigurationError(f"TTL {text!r} is not text: {_EXPECTED}")
    match = _TTL.fullmatch(text)
    if match is None:
        raise ConfigurationError(f"TTL {text!r} cannot be read: {_EXPECTED}")
    # Python refuses to convert very long digit strings, so look at the length first.
    if len(match[1]) > len(str(_LONGEST_SECONDS)) + 1:
        raise ConfigurationError(f"TTL {text[:20]!r}... is longer than Argo can hold (292 years)")
    seconds = int(match[1]) * _UNITS[match[2]]
    if abs(seconds) > _LONGEST_SECONDS:
        raise ConfigurationError(f"TTL {text!r} is longer than Argo can hold (292 years)")
    return timedelta(seconds=seconds)


_GO_PART = re.compile(r"([0-9]+)(h|m|s)")
_GO = re.compile(r"(?:[0-9]+[hms])+")


def parse_go_duration(text: str) -> timedelta | None:
    """A duration of Argo's environment (`1m`, `1h30m`); None for what is none, or smaller than a second."""
    if _GO.fullmatch(text) is None or len(text) > 20:
        return None
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _GO_PART.findall(text))
    return timedelta(seconds=seconds) if seconds else None


def cron_every(period: timedelta) -> str:
    """A cron that comes about as often, and never more often: crons know divisors of an hour and of a day."""
    minutes = max(-(-period // timedelta(minutes=1)), 1)
    for every in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30):
        if minutes <= every:
            return "* * * * *" if every == 1 else f"*/{every} * * * *"
    hours = -(-minutes // 60)
    for every in (1, 2, 3, 4, 6, 8, 12):
        if hours <= every:
            return "0 * * * *" if every == 1 else f"0 */{every} * * *"
    return "17 3 * * *"


def format_duration(duration: timedelta) -> str:
    """Write a duration for people in the largest units that are exact: `180d`, `1h30m`, `0s`."""
    seconds = duration // timedelta(seconds=1)
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    parts = []
    for unit, size in _UNITS.items():
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + ("".join(parts) or "0s")
