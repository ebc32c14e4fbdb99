"""Many photos on one picture, each with a few words, for a person to look through."""

from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from models.errors import ImageError
from models.images.decode import Fit, decode

_SIDE = 192  # pixels of a photo, whole and stretched to a square as the network sees it
_ACROSS = 8
_MOST = 96  # photos on a sheet, which a person can still open and scroll
_GAP = 8
_LINE = 16
_FONT_PX = 12


class Entry(NamedTuple):
    """A photo on the sheet by its path, and the three lines below it; the last one loses its start when it is long."""

    path: str
    first: str
    second: str
    third: str


def draw(path: Path, entries: list[Entry]) -> None:
    """Draws the first 96 entries in rows of eight, as a PNG; a photo that cannot be read is a grey square."""
    # Pillow's own font has no arrow and no letter with an accent.
    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", _FONT_PX)
    entries = entries[:_MOST]
    wide, high = _SIDE + _GAP, _SIDE + 3 * _LINE + _GAP
    across = min(_ACROSS, len(entries))
    sheet = Image.new("RGB", (across * wide + _GAP, -(-len(entries) // across) * high + _GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for number, entry in enumerate(entries):
        x, y = _GAP + number % across * wide, _GAP + number // across * high
        sheet.paste(_thumbnail(entry.path), (x, y))
        texts = (entry.first, entry.second, _shortened(entry.third, font))
        for line, text in enumerate(texts):
            pen.text((x, y + _SIDE + line * _LINE), text, fill="black", font=font)
    sheet.save(path)


def _thumbnail(path: str) -> Image.Image:
    try:
        with Path(path).open("rb") as file:
            return Image.fromarray(decode(file, Fit(side=_SIDE)).pixels)
    except (ImageError, OSError):
        return Image.new("RGB", (_SIDE, _SIDE), "grey")


def _shortened(text: str, font: ImageFont.FreeTypeFont) -> str:
    start = 0
    while start < len(text) and font.getlength("…" + text[start:] if start else text) > _SIDE:
        start += 1
    return "…" + text[start:] if start else text
