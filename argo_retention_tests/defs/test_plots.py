"""Pictures in metadata: small, and PNG that a browser shows."""

import base64
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from PIL import Image

from argo_retention.defs.metadata import counts_table, table
from argo_retention.defs.plots import COLORS, INK, LARGEST_BYTES, over_time, stacked_bars

LABELS = ("under 1 h", "1 to 6 h", "6 to 24 h", "1 to 3 d", "3 to 7 d", "7 to 30 d", "over 30 d")


def test_a_picture_is_a_small_png_with_a_transparent_ground() -> None:
    values = [3, 100_000, 7, 0, 12, 5_000, 1]

    shown = stacked_bars("By age", LABELS, {"delete": values, "keep": values[::-1]}).value

    assert shown is not None
    assert len(shown) < LARGEST_BYTES
    head, _, rest = shown.partition("base64,")
    assert head == "![By age](data:image/png;"
    with Image.open(BytesIO(base64.b64decode(rest.rstrip(")")))) as image:
        assert image.size[0] > 400
        assert image.convert("RGBA").getpixel((0, 0))[3] == 0  # type: ignore[index]


def test_figures_over_time_are_a_small_picture_from_three_points_on() -> None:
    begun = datetime(2026, 11, 1, tzinfo=UTC)
    points = [(begun + timedelta(hours=h), (100 + h, 90 + h)) for h in range(100)]

    shown = over_time("Workflows in the cluster", points, ("found", "finished")).value

    assert shown is not None
    assert shown.startswith("![Workflows in the cluster](data:image/png;base64,")
    assert len(shown) < LARGEST_BYTES
    assert over_time("x", points[:2], ("found", "finished")).value == "Nothing to show yet."


@pytest.mark.parametrize("ground", ["#ffffff", "#0f1821"])
def test_words_and_bars_are_seen_on_the_light_and_on_the_dark_theme(ground: str) -> None:
    """Contrast as WCAG 2 defines it: 3 is what it asks of large text and of graphics."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    def contrast(color: str) -> float:
        light, dark = sorted((luminance(color), luminance(ground)), reverse=True)
        return (light + 0.05) / (dark + 0.05)

    assert contrast(INK) >= 3
    assert min(contrast(color) for color in COLORS) >= 1.8


def test_nothing_is_no_picture() -> None:
    assert stacked_bars("By age", LABELS, {"delete": [0] * 7}).value == "Nothing to show."


def test_tables_escape_what_would_end_a_cell() -> None:
    shown = table(("name", "n"), [("a|b\nc", 3)])

    assert shown.value == "| name | n |\n|---|---:|\n| a\\|b c | 3 |"


def test_a_long_table_says_how_much_more_there_is() -> None:
    shown = counts_table("phase", {f"p{number:03}": 1 for number in range(60)}).value

    assert shown is not None
    assert shown.splitlines()[-1] == "| and 10 more | |"
    assert table(("a",), []).value == "None."
