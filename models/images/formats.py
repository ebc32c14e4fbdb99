"""The supported image formats, and the reasons why bytes cannot be decoded."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from models.errors import ImageError, ImageErrorKind

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "HEIF", "AVIF")
"""Pillow's names of the supported formats. No others are enabled: each decoder is C code that untrusted files reach."""

DEFAULT_MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs: 256 MiB at 24 bits per pixel, doubled as where Pillow raises."""

DEFAULT_MAX_BYTES = 2 << 30
"""Far above any photo, and little enough to be read in a minute or two."""

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
    """Turns errors of Pillow and its plug-ins on bad data into ImageError; errors of the disk pass through."""
    from PIL import Image, UnidentifiedImageError  # late: the settings import this module for the limit above

    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(stream) from error
    except Image.DecompressionBombError as error:
        raise ImageError(ImageErrorKind.TOO_LARGE, str(error)) from error
    except OSError as error:
        if error.errno is not None:  # an error of the disk
            raise
        raise _broken(stream, error) from error
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # plug-ins raise SyntaxError, struct.error, ValueError, … on malicious data
        raise _broken(stream, error) from error


def _broken(stream: BinaryIO, error: Exception) -> ImageError:
    text = f"{type(error).__name__}: {error}"
    phrases = ("truncated", "unexpected end", "end of file", "eof")
    if isinstance(error, EOFError) or any(phrase in text.lower() for phrase in phrases) or _is_truncated(stream):
        return ImageError(ImageErrorKind.TRUNCATED, f"the image ends too early ({text}); copy the file again")
    return ImageError(ImageErrorKind.CORRUPT, f"the image data are damaged ({text})")


def _unidentified(stream: BinaryIO) -> ImageError:
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if not head:
        return ImageError(ImageErrorKind.EMPTY, "the file is empty; copy it again")
    pixels = _heif_pixels(head)
    if pixels > DEFAULT_MAX_PIXELS:
        # libavif refuses such sizes before foodsort checks its own limit.
        return ImageError(ImageErrorKind.TOO_LARGE, f"{pixels} pixels are more than the decoder supports")
    if is_image(head):
        if _is_truncated(stream):
            return ImageError(ImageErrorKind.TRUNCATED, "the image ends in its header; copy the file again")
        return ImageError(ImageErrorKind.CORRUPT, "the image header is damaged")
    return ImageError(ImageErrorKind.NOT_AN_IMAGE, "not an image in a supported format (" + ", ".join(FORMATS) + ")")


def is_image(head: bytes) -> bool:
    """Whether the first bytes of a file, 18 or more, are those of an image in a supported format."""
    has_magic = any(head[offset:].startswith(magic) for offset, magic in _MAGIC)
    return has_magic or _is_heif(head) or _is_bmp(head)


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def _is_bmp(head: bytes) -> bool:
    # Two letters are too weak a signature, so the size of the next header must be a known one too.
    return (
        head[:2] == b"BM"
        and len(head) >= 18
        and struct.unpack_from("<I", head, 14)[0] in {12, 40, 52, 56, 64, 108, 124}
    )


def _heif_pixels(head: bytes) -> int:
    """Returns the pixels of the largest `ispe` box (ISO/IEC 23008-12 § 6.5.3) of a HEIF or AVIF header, else 0."""
    largest = 0
    offset = head.find(b"ispe") if _is_heif(head) else -1
    while offset >= 0 and offset + 16 <= len(head):
        width, height = struct.unpack_from(">II", head, offset + 8)
        largest = max(largest, width * height)
        offset = head.find(b"ispe", offset + 4)
    return largest


def _is_truncated(stream: BinaryIO) -> bool:
    """Whether a container with a length (RIFF, ISO base media) is shorter than its header states."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if head[:4] == b"RIFF" and len(head) >= 8:
        return bool(struct.unpack_from("<I", head, 4)[0] + 8 > size)
    if head[4:8] != b"ftyp":
        return False
    offset = 0
    while offset + 8 <= size:
        stream.seek(offset)
        length = struct.unpack(">I", stream.read(4))[0]
        if length < 8:  # 0: to the end; 1: a 64-bit length, which no picture needs
            return False
        offset += length
    return offset > size
