"""EXIF data of raw files, which most store like a TIFF."""

import io
import struct
from typing import BinaryIO

from PIL import Image
from tifffile import TiffPage

_EXIF_IFD = 0x8769
_HEADER_BYTES = 1 << 20
# Some makers have their own words where a TIFF has 42.
_TIFF_STARTS = {b"IIRO": b"II*\0", b"IIRS": b"II*\0", b"MMOR": b"MM\0*", b"IIU\0": b"II*\0"}
_MAKERS = {"NIKON": "NEF", "SONY": "ARW", "OLYMPUS": "ORF", "PANASONIC": "RW2"}
_DNG_VERSION, _MAKE = 50706, 271


def format_of(page: TiffPage) -> str:
    """Returns the format of a raw file that is a TIFF, by its first page: DNG, CR2, NEF, ARW, …, or RAW."""
    if _DNG_VERSION in page.tags:
        return "DNG"
    file = page.parent.filehandle
    file.seek(8)
    if file.read(2) == b"CR":
        return "CR2"
    make = str(page.tags.valueof(_MAKE) or "").upper()
    return next((name for maker, name in _MAKERS.items() if make.startswith(maker)), "RAW")


def read(stream: BinaryIO, image_format: str) -> Image.Exif:
    """Parses the EXIF data of a raw file, none where they are elsewhere. Raises many kinds of errors on damaged data."""
    stream.seek(0)
    head = stream.read(_HEADER_BYTES)
    tags = Image.Exif()
    if image_format == "CR3":
        tags.load(b"Exif\0\0" + _box(head, b"CMT1"))
        more = Image.Exif()
        more.load(b"Exif\0\0" + _box(head, b"CMT2"))
        tags.get_ifd(_EXIF_IFD).update(dict(more))
    elif image_format != "RAF":  # its data are those of the preview
        tags.load_from_fp(io.BytesIO(_TIFF_STARTS.get(head[:4], head[:4]) + head[4:]))
    return tags


def _box(head: bytes, name: bytes) -> bytes:
    """Returns the content of the first box of a name (ISO/IEC 14496-12 § 4.2)."""
    at = head.index(name)
    return head[at + 4 : at - 4 + struct.unpack_from(">I", head, at - 4)[0]]
