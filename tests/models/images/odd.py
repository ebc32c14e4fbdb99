"""The odd photos of ../shared, and the error kind of each one that does not decode."""

import csv
from pathlib import Path

import pytest

from models.errors import ImageErrorKind

ODD = Path(__file__).parents[3].parent / "shared/data/odd"
LINES = (ODD / "MANIFEST.tsv").read_text().splitlines() if ODD.exists() else []
MANIFEST = list(csv.DictReader(LINES, delimiter="\t"))
KINDS = {
    "Pillow__crash-338516dbd2f0e83caddb8ce256c22db3bd6dc40f.tif": ImageErrorKind.CORRUPT,
    "Pillow__libtiff_segfault.tif": ImageErrorKind.CORRUPT,
    "Pillow__oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": ImageErrorKind.CORRUPT,
    "Pillow__truncated_jpeg.jpg": ImageErrorKind.TRUNCATED,
    "fuzz_gif_f5087794.gif": ImageErrorKind.CORRUPT,
    "fuzz_png_d6111103.png": ImageErrorKind.TRUNCATED,
    "libvips__17000x17000.avif": ImageErrorKind.TOO_LARGE,
    "libvips__truncated.jpg": ImageErrorKind.TRUNCATED,
    "metadata-extractor-images__beach.jpg": ImageErrorKind.CORRUPT,
    "pillow_heif__empty.heic": ImageErrorKind.EMPTY,
    "sharp__65536-uint32-limit.png": ImageErrorKind.TOO_LARGE,
    "sharp__corrupt-header.jpg": ImageErrorKind.TRUNCATED,
    "sharp__giant-image.jpg": ImageErrorKind.TOO_LARGE,
    "wuffs__hippopotamus.regular.truncated.png": ImageErrorKind.TRUNCATED,
}
needs_odd = pytest.mark.skipif(not MANIFEST, reason="the odd photos of ../shared are not here")
