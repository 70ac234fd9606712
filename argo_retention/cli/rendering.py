"""How commands show things: tables no wider than the terminal, plain lines elsewhere, one JSON document.

Names and reasons come from other people's workflows, so nothing in them is taken as markup or as a command
to the terminal.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.table import Table
from rich.text import Text


def console() -> Console:
    """Where tables go: the terminal, or a file with lines as long as they are."""
    made = Console(highlight=False)
    made.soft_wrap = not made.is_terminal
    return made


def safe(text: object) -> Text:
    """One line of foreign text: no markup, control characters (ANSI, newlines, bidi) made visible."""
    return Text(_visible(str(text)))


def paragraph(text: str) -> Text:
    """Several lines of our own making, such as an error's message; as `safe` within each line."""
    return Text("\n".join(_visible(line) for line in text.split("\n")))


def show_moment(moment: datetime | None) -> str:
    """UTC to the second; "" for None."""
    return "" if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table that is made when it is printed, since it depends on where."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Folded into the width; one line a row where the console does not wrap (a file, a pipe)."""
        yield Text(_visible(self.title), style="bold" if console.is_terminal else "")
        cells = [[_visible(_cell(value)) for value in row] for row in self.rows]
        if options.no_wrap and not console.is_terminal:
            yield Text("\n".join(self._lines(cells)))
        else:
            yield self._folded(cells)
        yield Text()

    def _folded(self, cells: Sequence[Sequence[str]]) -> Table:
        shown = Table(box=SIMPLE_HEAD, show_header=any(self.columns), pad_edge=False)
        for number, column in enumerate(self.columns):
            justify: JustifyMethod = "right" if self._is_numeric(number) else "left"
            shown.add_column(safe(column), overflow="fold", justify=justify)
        for row in cells:
            shown.add_row(*map(Text, row))
        return shown

    def _lines(self, cells: Sequence[Sequence[str]]) -> list[str]:
        lines = [*([self.columns] if any(self.columns) else []), *cells]
        numbers = range(len(self.columns))
        widths = [max((cell_len(line[number]) for line in lines), default=0) for number in numbers]
        return [
            "  ".join(
                " " * (widths[number] - cell_len(line[number])) + line[number]
                if self._is_numeric(number)
                else set_cell_size(line[number], widths[number])
                for number in numbers
            ).rstrip()
            for line in lines
        ]

    def _is_numeric(self, number: int) -> bool:
        return bool(self.rows) and all(_is_number(row[number]) for row in self.rows)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> ShownTable:
    """A table to print; cells are made safe, numbers stand to the right, times are UTC."""
    return ShownTable(title, tuple(columns), tuple(tuple(row) for row in rows))


def print_json(document: object) -> None:
    """One document on stdout, ASCII only; dataclasses, enums and times become what JSON has."""
    click.echo(json.dumps(_plain(document), indent=2))


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return show_moment(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, str | int | float) or value is None:
        return value
    if isinstance(value, Iterable):
        return [_plain(entry) for entry in value]
    return str(value)
