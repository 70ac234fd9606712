"""Pictures in metadata: small, and PNG that a browser shows."""

import base64
from io import BytesIO

from PIL import Image

from argo_retention.defs.metadata import counts_table, table
from argo_retention.defs.plots import LARGEST_BYTES, stacked_bars

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
