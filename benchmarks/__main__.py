"""Run the figures: one JSON line each on stdout and in bench-results.ndjson, then a table.

Ends with 1 when a bar does not hold.
"""

import argparse
import importlib
import json
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure
from benchmarks.stage import Stage

RESULTS = Path(__file__).parent.parent / "bench-results.ndjson"
#: Name on the command line → module with a function `measure`; the order is that of the report.
FIGURES = {
    "archive": "archive_path",
    "end-to-end": "end_to_end",
    "collect": "collecting",
    "expiry": "expiring",
    "logs": "pod_logs",
    "memory": "memory",
    "plan": "planning",
    "tick": "watching",
    "clusters": "clusters",
    "demo": "demo",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument("--quick", action="store_true", help="few of everything; bars mean little")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(FIGURES)
    if unknown:
        parser.error(f"no figure {', '.join(sorted(unknown))}; there are: {', '.join(FIGURES)}")
    figures: list[Figure] = []
    print(_machine(), file=sys.stderr)
    with RESULTS.open("a", encoding="utf-8") as results, Stage(quick=options.quick) as stage:
        for name in options.names or FIGURES:
            start = time.monotonic()
            print(f"{name} ...", end=" ", flush=True, file=sys.stderr)
            found = importlib.import_module(f"benchmarks.{FIGURES[name]}").measure(stage)
            print(f"{time.monotonic() - start:.0f} s", file=sys.stderr)
            for figure in found:
                line = json.dumps(figure.as_json(), ensure_ascii=False)
                print(line, flush=True)
                results.write(f"{line}\n")
            figures += found
    Console(width=max(Console().width, 110)).print(_table(figures))
    return 0 if all(figure.holds for figure in figures) else 1


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load {load:.1f}, {platform.machine()}, Python {platform.python_version()}"


def _table(figures: Sequence[Figure]) -> Table:
    table = Table("figure", "unit", "ours", "limit", "today", "/ limit", "/ today", "bar", "holds")
    for figure in figures:
        row = figure.as_json()
        cells = ("ours", "limit", "today", "ratio_to_limit", "ratio_to_today")
        numbers = ["" if row[cell] is None else f"{row[cell]:g}" for cell in cells]
        holds = "yes" if figure.holds else "NO"
        table.add_row(figure.figure, figure.unit, *numbers, str(row["bar"]), holds)
    return table


if __name__ == "__main__":
    sys.exit(main())
