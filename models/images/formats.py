"""Which formats are read, and what is wrong with bytes that give no picture."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from models.errors import ImageError, ImageErrorKind

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "HEIF", "AVIF")
"""Pillow's names of the formats that are tried. Others stay closed: each decoder is C code fed by strangers."""

DEFAULT_MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs: a quarter of a GiB at 24 bits a pixel, doubled where Pillow raises."""

_MAGIC = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"II+\0"),
    (0, b"MM\0+"),
    (8, b"WEBP"),
)
_HEIF_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_HEAD_BYTES = 64 * 1024


@contextmanager
def as_image_errors(stream: BinaryIO) -> Iterator[None]:
    """Turns what Pillow and its plug-ins raise on bad data into ImageError; lets errors of the disk through."""
    from PIL import Image, UnidentifiedImageError  # here: the settings need the limit above, and no pictures

    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(stream) from error
    except Image.DecompressionBombError as error:
        raise ImageError(ImageErrorKind.TOO_LARGE, str(error)) from error
    except OSError as error:
        if error.errno is not None:  # the disk, not the picture
            raise
        raise _broken(stream, error) from error
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # plug-ins raise SyntaxError, struct.error, ValueError, … on data made to be bad
        raise _broken(stream, error) from error


def _broken(stream: BinaryIO, error: Exception) -> ImageError:
    text = f"{type(error).__name__}: {error}"
    signs = ("truncated", "unexpected end", "end of file", "eof")
    if isinstance(error, EOFError) or any(sign in text.lower() for sign in signs) or _is_cut_off(stream):
        return ImageError(ImageErrorKind.TRUNCATED, f"the picture ends too early ({text}); copy it again")
    return ImageError(ImageErrorKind.CORRUPT, f"the picture's data are damaged ({text})")


def _unidentified(stream: BinaryIO) -> ImageError:
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if not head:
        return ImageError(ImageErrorKind.EMPTY, "the file has no bytes; copy it again")
    pixels = _heif_pixels(head)
    if pixels > DEFAULT_MAX_PIXELS:
        # libavif refuses such sizes before any limit of ours is asked.
        return ImageError(ImageErrorKind.TOO_LARGE, f"{pixels} pixels are more than the decoder takes")
    known = any(head[offset:].startswith(magic) for offset, magic in _MAGIC) or _is_heif(head)
    if known or _is_bmp(head):
        if _is_cut_off(stream):
            return ImageError(ImageErrorKind.TRUNCATED, "the picture ends in its header; copy it again")
        return ImageError(ImageErrorKind.CORRUPT, "the picture's header is damaged")
    return ImageError(
        ImageErrorKind.NOT_AN_IMAGE, "not a picture in a format that foodsort reads (" + ", ".join(FORMATS) + ")"
    )


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def _is_bmp(head: bytes) -> bool:
    # Two letters are too little to go by, so the size of the header that follows must be a known one.
    return (
        head[:2] == b"BM"
        and len(head) >= 18
        and struct.unpack_from("<I", head, 14)[0] in {12, 40, 52, 56, 64, 108, 124}
    )


def _heif_pixels(head: bytes) -> int:
    """Pixels of the largest `ispe` (image spatial extents, ISO/IEC 23008-12 § 6.5.3) in a HEIF or AVIF header, else 0."""
    largest, at = 0, head.find(b"ispe") if _is_heif(head) else -1
    while at >= 0 and at + 16 <= len(head):
        width, height = struct.unpack_from(">II", head, at + 8)
        largest, at = max(largest, width * height), head.find(b"ispe", at + 4)
    return largest


def _is_cut_off(stream: BinaryIO) -> bool:
    """Whether a container that states its length (RIFF, ISO base media) states more bytes than there are."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if head[:4] == b"RIFF" and len(head) >= 8:
        return bool(struct.unpack_from("<I", head, 4)[0] + 8 > size)
    if head[4:8] != b"ftyp":
        return False
    at = 0
    while at + 8 <= size:
        stream.seek(at)
        length = struct.unpack(">I", stream.read(4))[0]
        if length < 8:  # 0: to the end; 1: a 64-bit length, which no picture needs
            return False
        at += length
    return at > size
