"""Metadata of materializations: counts, and short tables of exceptions."""

from collections.abc import Mapping, Sequence

import dagster as dg

EXCEPTIONS_SHOWN = 50


def exceptions_table(rows: Sequence[tuple[str, str, str]]) -> dg.MarkdownMetadataValue:
    """(workflow, reason, sentence) of the first exceptions."""
    return table(("workflow", "reason", "why"), rows)


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> dg.MarkdownMetadataValue:
    """The first rows as a Markdown table; numbers to the right."""
    if not rows:
        return dg.MetadataValue.md("None.")
    numbers = [isinstance(cell, int) for cell in rows[0]]
    lines = [
        f"| {' | '.join(headings)} |",
        f"|{'|'.join('---:' if is_number else '---' for is_number in numbers)}|",
    ]
    lines += [f"| {' | '.join(_cell(str(c)) for c in row)} |" for row in rows[:EXCEPTIONS_SHOWN]]
    if len(rows) > EXCEPTIONS_SHOWN:
        lines.append(f"| and {len(rows) - EXCEPTIONS_SHOWN} more |{' |' * (len(headings) - 1)}")
    return dg.MetadataValue.md("\n".join(lines))


def counts_table(what: str, counts: Mapping[str, int]) -> dg.MarkdownMetadataValue:
    """Name → how many, most first."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return table((what, "workflows"), ordered)


def a_second(count: int, seconds: float) -> float:
    """A rate to one decimal."""
    return round(count / seconds, 1) if seconds > 0 else 0.0


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def mode_of(*, applied: bool, paused: str) -> str:
    """What an outcome did: deleted, only looked, or only looked because somebody paused."""
    return "paused" if paused else "apply" if applied else "observe"
