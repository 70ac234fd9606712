"""Small pictures for metadata: PNG in Markdown, legible on light and on dark ground."""

import base64
from collections.abc import Mapping, Sequence
from io import BytesIO

import dagster as dg

LARGEST_BYTES = 20_000
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
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, for a few steps only
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415

    figure = Figure(figsize=(6.4, 2.4), dpi=80, layout="constrained")
    axes = figure.subplots()
    bottom = [0] * len(labels)
    for (name, values), color in zip(series.items(), COLORS, strict=False):
        axes.bar(labels, values, bottom=bottom, label=name, color=color, width=0.7)
        bottom = [below + value for below, value in zip(bottom, values, strict=True)]
    axes.set_title(title, color=INK, fontsize=10)
    axes.tick_params(colors=INK, labelsize=8)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for side in axes.spines.values():
        side.set_color(INK)
    axes.legend(fontsize=8, labelcolor=INK, framealpha=0)
    return _picture(figure, title)


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
