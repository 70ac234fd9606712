"""Tables that fit, foreign text that stays text, one JSON document."""

import io
import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from argo_retention.cli.rendering import paragraph, print_json, safe, show_moment, table

WHEN = datetime(2026, 6, 15, 14, 0, 1, tzinfo=timezone(timedelta(hours=2)))


def shown(what: object, *, terminal: bool, width: int = 40) -> str:
    out = io.StringIO()
    console = Console(
        file=out, force_terminal=terminal, width=width, soft_wrap=not terminal, color_system=None
    )
    console.print(what)
    return out.getvalue()


@given(st.text())
def test_foreign_text_is_one_printable_line(text: str) -> None:
    assert safe(text).plain.isprintable()


def test_markup_is_not_interpreted() -> None:
    assert shown(safe("[bold red]x[/] [link=http://a]y[/link]"), terminal=True, width=80) == (
        "[bold red]x[/] [link=http://a]y[/link]\n"
    )


def test_a_paragraph_keeps_its_own_lines_only() -> None:
    assert paragraph("one\ntwo\x1b[2J").plain == "one\ntwo\\x1b[2J"


@given(st.lists(st.tuples(st.text(), st.integers(), st.text()), min_size=1, max_size=5))
def test_a_table_is_never_wider_than_the_terminal(rows: list[tuple[str, int, str]]) -> None:
    lines = shown(table("t", ("a", "b", "c"), rows), terminal=True).splitlines()

    assert all(cell_len(line) <= 40 for line in lines)


def test_off_a_terminal_a_row_is_one_line_however_long() -> None:
    rows = [("a" * 100, 1), ("b\nc", 2000)]

    assert shown(table("title", ("name", "count"), rows), terminal=False).splitlines() == [
        "title",
        f"{'name':<100}  count",
        f"{'a' * 100}      1",
        "b\\nc".ljust(100) + "  2,000",
        "",
    ]


def test_a_table_without_headings_and_without_rows() -> None:
    assert shown(table("title", ("", ""), []), terminal=False) == "title\n\n\n"
    assert "title" in shown(table("title", ("", ""), [(None, WHEN)]), terminal=True)


def test_a_table_folds_where_lines_have_an_end() -> None:
    """A file whose console wraps, as in the tests of others."""
    out = io.StringIO()
    Console(file=out, width=30).print(table("t", ("a",), [("x" * 50,)]))

    assert out.getvalue().count("x") == 50


def test_times_are_utc() -> None:
    assert show_moment(WHEN) == "2026-06-15 12:00:01Z"
    assert show_moment(None) == ""


def test_a_document_of_values(capsys: pytest.CaptureFixture[str]) -> None:
    class Word(StrEnum):
        KEEP = "keep"

    @dataclass(frozen=True, slots=True)
    class Value:
        at: datetime
        word: Word

    print_json(
        {
            "value": Value(WHEN, Word.KEEP),
            "numbers": (1, 2.5, None, True),
            1: frozenset({"\x1b"}),
            "age": timedelta(days=1),
        }
    )

    printed = capsys.readouterr().out
    assert json.loads(printed) == {
        "value": {"at": "2026-06-15T12:00:01Z", "word": "keep"},
        "numbers": [1, 2.5, None, True],
        "1": ["\x1b"],
        "age": "1 day, 0:00:00",
    }
    assert printed.isascii()
    assert "\x1b" not in printed
