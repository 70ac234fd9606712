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
    """(workflow, reason, sentence) of the first exceptions, as a Markdown table."""
    if not rows:
        return dg.MetadataValue.md("None.")
    lines = ["| workflow | reason | why |", "|---|---|---|"]
    lines += [f"| {_cell(w)} | {_cell(r)} | {_cell(s)} |" for w, r, s in rows[:EXCEPTIONS_SHOWN]]
    if len(rows) > EXCEPTIONS_SHOWN:
        lines.append(f"| and {len(rows) - EXCEPTIONS_SHOWN} more | | |")
    return dg.MetadataValue.md("\n".join(lines))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def mode_of(*, applied: bool, paused: str) -> str:
    """What an outcome did: deleted, only looked, or only looked because somebody paused."""
    return "paused" if paused else "apply" if applied else "observe"
