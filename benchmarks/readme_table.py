"""Write the figures of `make bench` into the README, between `<!-- bench -->` and `<!-- /bench -->`.

    python -m benchmarks.readme_table bench-results.ndjson

The file may hold several runs, one after the other: the last line of a figure counts.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"
HEADINGS = ("figure", "unit", "ours", "limit: the parts alone", "today: Argo's way", "bar", "holds")
BLOCK = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)


def read_figures(lines: Sequence[str]) -> list[Mapping[str, Any]]:
    """Figures in the order of their first lines, each as its last line has it."""
    figures: dict[str, Mapping[str, Any]] = {}
    for line in lines:
        figure = json.loads(line)
        figures[figure["figure"]] = figure
    return list(figures.values())


def rendered(figures: Sequence[Mapping[str, Any]]) -> str:
    """A table, and below it what was measured."""
    rows = [HEADINGS, ("---",) * len(HEADINGS), *map(_row, figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    notes = "\n".join(f"* {each['figure']}: {each['note']}" for each in figures if each["note"])
    return f"{table}\n\n{notes}\n"


def filled(readme: str, block: str) -> str:
    """The README with this block. Raises ValueError where it has no place for it."""
    text, places = BLOCK.subn(lambda _: block, readme)
    if places != 1:
        raise ValueError(f"expected <!-- bench --> and <!-- /bench --> once, found {places}")
    return text


def _row(figure: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        figure["figure"],
        figure["unit"],
        f"{figure['ours']:g}",
        _compared(figure, "limit"),
        _compared(figure, "today"),
        figure["bar"],
        "yes" if figure["holds"] else "not yet",
    )


def _compared(figure: Mapping[str, Any], other: str) -> str:
    """The other side, and ours divided by it."""
    if figure[other] is None:
        return ""
    return f"{figure[other]:g} (ratio {figure[f'ratio_to_{other}']:.2f})"


def main(arguments: Sequence[str]) -> int:
    """Exit code."""
    if len(arguments) != 1:
        print("usage: python -m benchmarks.readme_table FILE", file=sys.stderr)
        return 2
    figures = read_figures(Path(arguments[0]).read_text(encoding="utf-8").splitlines())
    README.write_text(
        filled(README.read_text(encoding="utf-8"), rendered(figures)), encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
