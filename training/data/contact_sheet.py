"""A contact sheet: many photos in one picture, each with a caption."""

from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from PIL import Image, ImageDraw, ImageFont

from models.errors import ImageError
from models.images.decode import Fit, decode
from training.fitting.photo_file import open_photo

_SIDE_PX = 192  # of a photo, stretched to a square as the network sees it
_COLUMNS = 8
_MAX_PHOTOS = 96  # a larger sheet is hard to open and to scroll
_GAP_PX = 8
_LINE_PX = 16
_FONT_PX = 12


class Entry(NamedTuple):
    """A photo on the sheet.

    Attributes:
        path: Path of the file.
        title: First line of the caption.
        detail: Second line.
        name: Third line; its start is cut off if it is too long.
    """

    path: str
    title: str
    detail: str
    name: str


def draw(path: Path, entries: list[Entry]) -> None:
    """Draws the first 96 entries in rows of eight and saves a PNG. Unreadable photos are grey squares.

    Args:
        path: File to write.
        entries: At least one.
    """
    # Pillow's own font has no arrow and no accented letters.
    font = ImageFont.truetype(Path(mpl.get_data_path()) / "fonts/ttf/DejaVuSans.ttf", _FONT_PX)
    entries = entries[:_MAX_PHOTOS]
    cell_width = _SIDE_PX + _GAP_PX
    cell_height = _SIDE_PX + 3 * _LINE_PX + _GAP_PX
    columns = min(_COLUMNS, len(entries))
    rows = -(-len(entries) // columns)
    sheet = Image.new("RGB", (columns * cell_width + _GAP_PX, rows * cell_height + _GAP_PX), "white")
    canvas = ImageDraw.Draw(sheet)
    for number, entry in enumerate(entries):
        x = _GAP_PX + number % columns * cell_width
        y = _GAP_PX + number // columns * cell_height
        sheet.paste(_thumbnail(entry.path), (x, y))
        for line, text in enumerate((entry.title, entry.detail, _shortened(entry.name, font))):
            canvas.text((x, y + _SIDE_PX + line * _LINE_PX), text, fill="black", font=font)
    sheet.save(path)


def _thumbnail(path: str) -> Image.Image:
    try:
        with open_photo(path) as file:
            return Image.fromarray(decode(file, Fit(side=_SIDE_PX)).pixels)
    except (ImageError, OSError):
        return Image.new("RGB", (_SIDE_PX, _SIDE_PX), "grey")


def _shortened(text: str, font: ImageFont.FreeTypeFont) -> str:
    start = 0
    while start < len(text) and font.getlength("…" + text[start:] if start else text) > _SIDE_PX:
        start += 1
    return "…" + text[start:] if start else text
