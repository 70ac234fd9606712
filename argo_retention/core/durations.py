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
