"""JPEG 2000: Pillow reads 8 bits per sample at a reduced size, imagecodecs reads more. Pillow's white of these is black."""

import struct
from typing import BinaryIO, NamedTuple

import imagecodecs
import numpy as np
from PIL import Image

from models.images import exif
from models.images.exif import Exif
from models.images.failures import refuse_above, unsupported
from models.images.loaded import Loaded

_JP2 = b"\0\0\0\x0cjP  "
_START = b"\xff\x4f\xff\x51"  # ISO/IEC 15444-1 § A.4.1 and A.5.1: SOC, SIZ
_COD = b"\xff\x52"
_RESTRICTED, _ANY = 2, 3  # § I.5.3.3: methods of the box `colr` whose content is a profile
_HEADER_BYTES = 1 << 20
_MOST_CHANNELS = 4


class _Header(NamedTuple):
    """Facts from the headers of a file.

    Attributes:
        bits: Bits of a sample.
        channels: Number of components.
        levels: How often the size can be halved.
        profile: The colour profile.
    """

    bits: int
    channels: int
    levels: int
    profile: bytes | None


def read(stream: BinaryIO, side: int, max_pixels: int) -> Loaded:
    """Decodes an image, at 8 bits per sample to a size that keeps both sides at least `side` pixels.

    Raises:
        ImageError: It is too large, or has more channels than red, green, blue and alpha.
        Exception: It is no complete image.
    """
    header = _header(stream)
    with Image.open(stream, formats=("JPEG2000",)) as opened:
        width, height = opened.size
        refuse_above(max_pixels, width, height)
        if header.bits <= 8:
            fitting = max(min(width, height) // side, 1).bit_length() - 1
            opened.reduce = min(header.levels, fitting)  # type: ignore[method-assign, assignment]
            opened.load()
            image: Image.Image = opened
            facts = exif.read(opened.getexif)
        elif header.channels > _MOST_CHANNELS or opened.mode == "CMYK":
            raise unsupported(f"a JPEG 2000 of {header.channels} channels with {header.bits} bits")
        else:
            image, facts = _deep(stream, header.bits), Exif()
    if header.profile:
        image.info["icc_profile"] = header.profile
    return Loaded(image, "JPEG2000", width, height, facts)


def _deep(stream: BinaryIO, bits: int) -> Image.Image:
    stream.seek(0)
    samples = imagecodecs.jpeg2k_decode(stream.read(), numthreads=1)
    if samples.dtype.kind == "i":  # signed samples: black is the lowest
        samples = samples.astype(np.int32) + (1 << bits - 1)
    return Image.fromarray(np.clip(samples >> bits - 8, 0, 255).astype(np.uint8))


def _header(stream: BinaryIO) -> _Header:
    """Reads the headers; zeros for what is missing."""
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    start = head.find(_START)
    if start < 0 or start + 43 > len(head):
        return _Header(0, 0, 0, None)
    channels, depth = struct.unpack_from(">HB", head, start + 40)
    style = head.find(_COD, start + 43)
    levels = head[style + 9] if 0 <= style < len(head) - 9 else 0
    return _Header((depth & 0x7F) + 1, channels, levels, _profile(head))


def _profile(head: bytes) -> bytes | None:
    start = head.find(b"jp2h")
    at = head.find(b"colr", start)
    if not head.startswith(_JP2) or start < 0 or at < 4 or at + 7 > len(head):
        return None
    length = struct.unpack_from(">I", head, at - 4)[0]
    return head[at + 7 : at - 4 + length] if head[at + 4] in {_RESTRICTED, _ANY} and length > 11 else None
