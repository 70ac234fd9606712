"""The log of a run, to be read from top to bottom: a line for each stage, exceptions by name."""

import logging
from collections.abc import Mapping, Sequence

NAMED = 20
DETAILED = 200


def name_exceptions(log: logging.Logger, rows: Sequence[tuple[str, str, str]]) -> None:
    """(workflow or object, reason, why): the first as warnings, some more as details."""
    for level, part in ((logging.WARNING, rows[:NAMED]), (logging.DEBUG, rows[NAMED:DETAILED])):
        for what, reason, why in part:
            log.log(level, "%s: %s", what, f"{reason}: {why}" if why else reason)
    if len(rows) > NAMED:
        more = len(rows) - NAMED
        log.warning("And %s more; the table `exceptions` of the asset names the first 50.", more)


def counted(counts: Mapping[str, int]) -> str:
    """Words like 3 deleted, 1 changed, most first; nothing where there is none."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return ", ".join(f"{count:,} {word}" for word, count in ordered if count) or "nothing"
