"""Large WebPs: Pillow holds several copies of one, since it decodes it as the first frame of an animation."""

import struct
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

import imagecodecs
from PIL import Image

from models.images import exif
from models.images.failures import refuse_above
from models.images.loaded import Loaded

_LARGE_PIXELS = 1 << 24
_ANIMATED = 0x02  # of the flags of `VP8X`


def is_large_still(stream: BinaryIO) -> bool:
    """Whether it has many pixels and one frame."""
    width, height, flags = _header(stream)
    return width * height > _LARGE_PIXELS and not flags & _ANIMATED


def read(stream: BinaryIO, max_pixels: int) -> Loaded:
    """Decodes a still image.

    Raises:
        ImageError: It is too large.
        imagecodecs.WebpError: The data are damaged.
    """
    width, height, _ = _header(stream)
    refuse_above(max_pixels, width, height)
    chunks = dict(_chunks(stream, {b"ICCP", b"EXIF"}))
    stream.seek(0)
    image = Image.fromarray(imagecodecs.webp_decode(stream.read()))
    if profile := chunks.get(b"ICCP"):
        image.info["icc_profile"] = profile
    return Loaded(image, "WEBP", width, height, exif.read(partial(_exif, chunks.get(b"EXIF", b""))))


def _exif(block: bytes) -> Image.Exif:
    tags = Image.Exif()
    if block:
        tags.load(block)
    return tags


def _header(stream: BinaryIO) -> tuple[int, int, int]:
    """Returns width and height (pixels), and the flags of an extended file; zeros where the header is damaged."""
    stream.seek(0)
    head = stream.read(30)
    if len(head) < 30:
        return 0, 0, 0
    match head[12:16]:
        case b"VP8X":
            sides = int.from_bytes(head[24:27], "little"), int.from_bytes(head[27:30], "little")
            return sides[0] + 1, sides[1] + 1, head[20]
        case b"VP8 ":
            width, height = struct.unpack_from("<HH", head, 26)
            return width & 0x3FFF, height & 0x3FFF, 0
        case b"VP8L":
            bits = struct.unpack_from("<I", head, 21)[0]
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 0
    return 0, 0, 0


def _chunks(stream: BinaryIO, wanted: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yields the name and content of wanted chunks (RIFF)."""
    offset = 12
    while len(head := _read_at(stream, offset, 8)) == 8:
        name, length = struct.unpack("<4sI", head)
        if name in wanted:
            yield name, stream.read(length)
        offset += 8 + length + length % 2


def _read_at(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)
