"""JPEGs that Pillow refuses: of 12 bits, lossless, and JPEG-LS. imagecodecs reads these."""

import struct
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from models.images import exif
from models.images.failures import refuse_above, unsupported
from models.images.loaded import Loaded

# ITU-T T.81 table B.1, T.87 annex C: markers.
_SOI, _EOI, _SOS, _APP1, _APP2 = 0xD8, 0xD9, 0xDA, 0xE1, 0xE2
_LOSSLESS, _JPEG_LS = 0xC3, 0xF7
_LIBJPEG = {0xC0, 0xC1, 0xC2, 0xC9, 0xCA}  # sequential and progressive, with Huffman or arithmetic coding
_FRAMES = (set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {_JPEG_LS}
_EXIF = b"Exif\0\0"
_ICC = b"ICC_PROFILE\0"
_MODES = {1: "L", 3: "RGB"}


class Frame(NamedTuple):
    """The header of a frame, T.81 § B.2.2.

    Attributes:
        marker: Second byte of its marker, which tells the coding.
        bits: Bits per sample.
    """

    marker: int
    bits: int
    height: int
    width: int
    components: int

    @property
    def is_plain(self) -> bool:
        """Whether Pillow decodes it."""
        return self.bits == 8 and self.marker in _LIBJPEG


def frame(stream: BinaryIO) -> Frame | None:
    """Returns the header of the first frame, None if it is missing or damaged."""
    for marker, content in _segments(stream):
        if marker in _FRAMES:
            header = Frame(marker, *struct.unpack_from(">BHHB", content.ljust(6, b"\0")))
            return header if header.bits and header.components else None
    return None


def read(stream: BinaryIO, header: Frame, max_pixels: int) -> Loaded:
    """Decodes a JPEG that is not plain to 8 bits per channel.

    Raises:
        ImageError: It is too large, or its coding or colours are not supported.
        Exception: The data are damaged; each codec has its own class.
    """
    refuse_above(max_pixels, header.width, header.height)
    is_ls = header.marker == _JPEG_LS
    if not (is_ls or header.marker == _LOSSLESS or header.marker in _LIBJPEG) or header.components not in _MODES:
        raise unsupported(
            f"a JPEG of {header.components} channels with {header.bits} bits, coding SOF{header.marker - 0xC0}"
        )
    segments = list(_segments(stream))
    stream.seek(0)
    data = stream.read()
    samples = imagecodecs.jpegls_decode(data) if is_ls else imagecodecs.jpeg_decode(data)
    scaled = samples >> max(header.bits - 8, 0) if header.bits >= 8 else samples * 255 // ((1 << header.bits) - 1)
    image = Image.fromarray(scaled.astype(np.uint8))
    if profile := _profile(segments):
        image.info["icc_profile"] = profile
    name = "JPEGLS" if is_ls else "JPEG"
    return Loaded(image, name, header.width, header.height, exif.read(partial(_exif, segments)))


def _segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yields the marker and content of each segment before the image data."""
    stream.seek(2)
    while True:
        byte = stream.read(1)
        while byte == b"\xff":  # any number of fill bytes may precede a marker
            byte = stream.read(1)
        if not byte or byte[0] in {_SOS, _EOI}:
            return
        length = stream.read(2)
        if len(length) < 2:
            return
        yield byte[0], stream.read(max(struct.unpack(">H", length)[0] - 2, 0))


def _exif(segments: list[tuple[int, bytes]]) -> Image.Exif:
    tags = Image.Exif()
    for marker, content in segments:
        if marker == _APP1 and content.startswith(_EXIF):
            tags.load(content)
            break
    return tags


def _profile(segments: list[tuple[int, bytes]]) -> bytes:
    """Joins the parts of the profile, ICC.1 § B.4: each has its number."""
    parts = [content[len(_ICC) :] for marker, content in segments if marker == _APP2 and content.startswith(_ICC)]
    return b"".join(part[2:] for part in sorted(parts, key=lambda part: part[:1]))
