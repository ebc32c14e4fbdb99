"""The reasons why bytes cannot be decoded, as errors for people."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from models.errors import ImageError, ImageErrorKind
from models.images.formats import DEFAULT_MAX_PIXELS, HEAD_BYTES, NAMES, heif_pixels, is_image

_CUT = ("truncated", "unexpected end", "end of file", "eof", "incomplete")
_CONTAINER_BYTES = 108
_UNSUPPORTED = (
    "unsupported",
    "not supported",
    "not yet supported",
    "not implemented",
    "unimplemented",
    "not been built in",
    "unknown pixel mode",
    "cannot handle",
)


def refuse_above(max_pixels: int, width: int, height: int) -> None:
    """Raises ImageError for an image of more pixels than allowed; call it before they are decoded."""
    if width * height > max_pixels:
        raise ImageError(
            ImageErrorKind.TOO_LARGE,
            f"{width} × {height} pixels are more than the limit of {max_pixels}; raise images.max_pixels to allow it",
        )


def unsupported(what: str) -> ImageError:
    """Returns the error of a sound image, such as `a TIFF with compression JBIG`, that no library here decodes."""
    return ImageError(ImageErrorKind.UNSUPPORTED, f"foodsort cannot decode {what}; convert it to JPEG or PNG")


def refuse_truncated(stream: BinaryIO) -> None:
    """Raises ImageError for a container (RIFF, ISO base media, RAF) that is shorter than its header states."""
    if _is_truncated(stream):
        raise ImageError(ImageErrorKind.TRUNCATED, "the file is shorter than its header states; copy it again")


@contextmanager
def as_image_errors(stream: BinaryIO) -> Iterator[None]:
    """Turns errors of the libraries on bad data into ImageError; errors of the disk pass through."""
    from PIL import Image, UnidentifiedImageError  # late: commands that decode nothing start without Pillow

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
    except Exception as error:  # libraries raise SyntaxError, struct.error, ValueError, … on malicious data
        raise _broken(stream, error) from error


def _broken(stream: BinaryIO, error: Exception) -> ImageError:
    text = f"{type(error).__name__}: {error}"
    lower = text.lower()
    if "max_text_" in lower:  # Pillow names its limit, see `models.images.reader`
        return ImageError(ImageErrorKind.TOO_LARGE, f"its text or profile is too large ({text}); save it without")
    if not isinstance(error, TypeError) and any(phrase in lower for phrase in _UNSUPPORTED):
        return unsupported(f"this kind of image ({text})")
    if isinstance(error, EOFError) or any(phrase in lower for phrase in _CUT) or _is_truncated(stream):
        return ImageError(ImageErrorKind.TRUNCATED, f"the image ends too early ({text}); copy the file again")
    return ImageError(ImageErrorKind.CORRUPT, f"the image data are damaged ({text})")


def _unidentified(stream: BinaryIO) -> ImageError:
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    if not head:
        return ImageError(ImageErrorKind.EMPTY, "the file is empty; copy it again")
    pixels = heif_pixels(head)
    if pixels > DEFAULT_MAX_PIXELS:
        # libavif refuses such sizes before foodsort checks its own limit.
        return ImageError(ImageErrorKind.TOO_LARGE, f"{pixels} pixels are more than the decoder supports")
    if is_image(head):
        if _is_truncated(stream):
            return ImageError(ImageErrorKind.TRUNCATED, "the image ends in its header; copy the file again")
        return ImageError(ImageErrorKind.CORRUPT, "the image header is damaged")
    return ImageError(ImageErrorKind.NOT_AN_IMAGE, f"not an image in a supported format ({NAMES})")


def _is_truncated(stream: BinaryIO) -> bool:
    """Whether a container with a length (RIFF, ISO base media, RAF) is shorter than its header states."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(_CONTAINER_BYTES)
    if head.startswith(b"FUJIFILMCCD-RAW") and len(head) == _CONTAINER_BYTES:  # places and lengths of its three parts
        fields = struct.unpack_from(">6I", head, 84)
        return any(start + length > size for start, length in zip(fields[::2], fields[1::2], strict=True))
    if head[:4] == b"RIFF" and len(head) >= 8:
        return bool(struct.unpack_from("<I", head, 4)[0] + 8 > size)
    if head[4:8] not in {b"ftyp", b"jP  ", b"JXL "}:
        return False
    offset = 0
    while offset + 8 <= size:
        stream.seek(offset)
        length = struct.unpack(">I", stream.read(4))[0]
        if length < 8:  # 0: to the end; 1: a 64-bit length, which no picture needs
            return False
        offset += length
    return offset > size
