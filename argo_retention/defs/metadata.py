"""Metadata of materializations: column schema and lineage, counts, and short tables of exceptions."""

from collections.abc import Mapping, Sequence

import dagster as dg

EXCEPTIONS_SHOWN = 50

_TYPES = {
    "string": "string",
    "int64": "int",
    "bool": "bool",
    "timestamp": "timestamp (UTC)",
    "map": "map of strings",
    "strings": "list of strings",
}


def column_schema(types: Mapping[str, str], words: Mapping[str, str]) -> dg.TableSchema:
    """Columns of a Parquet file with their types and descriptions."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=name, type=_TYPES[kind], description=words[name])
            for name, kind in types.items()
        ]
    )


def column_lineage(
    sources: Mapping[str, Sequence[tuple[dg.AssetKey, str]]],
) -> dg.TableColumnLineage:
    """Column → the columns of upstream assets that it comes from."""
    return dg.TableColumnLineage(
        deps_by_column={
            column: [dg.TableColumnDep(asset_key=key, column_name=name) for key, name in deps]
            for column, deps in sources.items()
        }
    )


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


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def mode_of(*, applied: bool, paused: str) -> str:
    """What an outcome did: deleted, only looked, or only looked because somebody paused."""
    return "paused" if paused else "apply" if applied else "observe"
