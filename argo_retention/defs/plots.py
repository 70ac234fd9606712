"""Small pictures for metadata: PNG in Markdown, legible on light and on dark ground."""

import base64
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import dagster as dg

LARGEST_BYTES = 20_000
FEWEST_POINTS = 3
TICKS = 5
#: Neither black nor white: both themes of the UI show it.
INK = "#808890"
#: Told apart by people who see few colours, too.
COLORS = ("#d1495b", "#2e86ab", "#edae49", "#66a182", "#8d96a3")


def stacked_bars(
    title: str, labels: Sequence[str], series: Mapping[str, Sequence[int]]
) -> dg.MarkdownMetadataValue:
    """One bar for each label, made of one piece for each series; "Nothing to show." where all are 0."""
    if not any(any(values) for values in series.values()):
        return dg.MetadataValue.md("Nothing to show.")
    figure, axes = _blank()
    bottom = [0] * len(labels)
    for (name, values), color in zip(series.items(), COLORS, strict=False):
        axes.bar(labels, values, bottom=bottom, label=name, color=color, width=0.7)
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    _dress(axes, title)
    return _picture(figure, title)


def over_time(
    title: str, points: Sequence[tuple[datetime, tuple[int, ...]]], names: Sequence[str]
) -> dg.MarkdownMetadataValue:
    """A line for each name through the points; "Nothing to show yet." where there are fewer than three."""
    if len(points) < FEWEST_POINTS:
        return dg.MetadataValue.md("Nothing to show yet.")
    figure, axes = _blank()
    times = [at.timestamp() for at, _ in points]
    for place, (name, color) in enumerate(zip(names, COLORS, strict=False)):
        values = [values[place] for _, values in points]
        axes.step(times, values, label=name, color=color, where="post")
    spans = range(TICKS)
    ticks = [times[0] + (times[-1] - times[0]) * place / (TICKS - 1) for place in spans]
    axes.set_xticks(ticks, [f"{datetime.fromtimestamp(at, UTC):%m-%d %H:%M}" for at in ticks])
    axes.set_ylim(bottom=0)
    _dress(axes, title)
    return _picture(figure, title)


def _blank() -> tuple[Any, Any]:
    """Figure and axes; margins are fixed, since to find them is to draw twice."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, for a few steps only

    figure = Figure(figsize=(6.4, 2.4), dpi=80)
    figure.subplots_adjust(left=0.1, right=0.98, top=0.88, bottom=0.12)
    return figure, figure.subplots()


def _dress(axes: Any, title: str) -> None:
    """Title, scales and legend in the colour that both themes show."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    axes.set_title(title, color=INK, fontsize=10)
    axes.tick_params(colors=INK, labelsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for side in axes.spines.values():
        side.set_color(INK)
    axes.legend(fontsize=8, labelcolor=INK, framealpha=0)


def _picture(figure: object, title: str) -> dg.MarkdownMetadataValue:
    body = BytesIO()
    figure.savefig(body, format="png", transparent=True)  # type: ignore[attr-defined]
    text = base64.b64encode(_small(body.getvalue())).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{text})")


def _small(png: bytes) -> bytes:
    """With a palette of 32 colours: the event log keeps every picture for ever."""
    from PIL import Image  # noqa: PLC0415

    out = BytesIO()
    with Image.open(BytesIO(png)) as image:
        image.quantize(colors=32).save(out, format="png", optimize=True)
    return out.getvalue()
