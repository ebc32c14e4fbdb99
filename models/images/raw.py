"""Raw files of cameras: the largest preview in them, or their sensor's values demosaiced at half the size (LibRaw)."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import BinaryIO

import rawpy
from PIL import Image

from models.errors import ImageError, ImageErrorKind
from models.images import exif, raw_tags
from models.images.exif import Exif
from models.images.failures import refuse_above, unsupported
from models.images.loaded import Loaded

_THUMBNAIL_PX = 320
"""Longest side of previews that are thumbnails: they show too little, so the sensor's values are used instead."""

_SRGB_CURVE = (2.4, 12.92)  # power and slope of IEC 61966-2-1
_ORIENTATIONS = {0: 1, 1: 2, 3: 3, 2: 4, 4: 5, 6: 6, 7: 7, 5: 8}
"""EXIF's orientation for each flip of LibRaw: its bits are a mirror image, upside down, and transposed."""
_TRANSPOSED = 4


def read(stream: BinaryIO, image_format: str, side: int, max_pixels: int) -> Loaded:
    """Decodes a raw file.

    Args:
        stream: The file.
        image_format: Its format, one of `models.images.formats.RAW_FORMATS`.
        side: A preview may be decoded at a reduced scale that keeps both sides at least this long (pixels).
        max_pixels: Largest sensor and preview (width × height).

    Raises:
        ImageError: It is too large, damaged, or of a camera that LibRaw does not know.
        OSError, SyntaxError, ValueError: The preview is damaged.
    """
    stream.seek(0)
    with _as_image_errors(), rawpy.RawPy() as raw:  # rawpy.imread imports multiprocessing, which a worker may not
        raw.open_buffer(stream)
        sizes = raw.sizes
        refuse_above(max_pixels, sizes.raw_width, sizes.raw_height)
        preview = _preview(raw, side, max_pixels)
        facts = exif.read(partial(raw_tags.read, stream, image_format))
        if preview is None or max(preview.width, preview.height) <= _THUMBNAIL_PX:
            image, orientation = _demosaiced(raw), 1
        else:
            image, orientation = preview.image, _orientation(preview, sizes)
    if preview is not None:
        facts = _first(facts, preview.exif)
    return Loaded(image, image_format, sizes.width, sizes.height, facts._replace(orientation=orientation))


def _preview(raw: rawpy.RawPy, side: int, max_pixels: int) -> Loaded | None:
    """Returns the largest preview, None if there is none that is a sound JPEG.

    Uncompressed ones are thumbnails, and LibRaw believes their headers: reading the pixels of a damaged one crashes.
    """
    try:
        thumbnail = raw.extract_thumb()
    except rawpy.LibRawNonFatalError:  # none, or of an unknown kind
        return None
    if not isinstance(thumbnail.data, bytes):
        return None
    try:
        with Image.open(io.BytesIO(thumbnail.data), formats=("JPEG",)) as image:
            width, height = image.size
            refuse_above(max_pixels, width, height)
            image.draft(None, (side, side))
            image.load()
            return Loaded(image, "JPEG", width, height, exif.read(image.getexif))
    except (OSError, SyntaxError, ValueError):  # damaged: the sensor's values may not be
        return None


def _orientation(preview: Loaded, sizes: rawpy.ImageSizes) -> int:
    """Returns the orientation of a preview: its own, else that of the file; none if it was written upright.

    LibRaw gives the file's orientation to a preview without EXIF data, so the sides tell whether it is upright.
    """
    if sizes.flip & _TRANSPOSED and (preview.width > preview.height) != (sizes.width > sizes.height):
        return 1
    return preview.exif.orientation if preview.exif.orientation != 1 else _ORIENTATIONS.get(sizes.flip, 1)


def _demosaiced(raw: rawpy.RawPy) -> Image.Image:
    """Returns the sensor's values as sRGB, upright: a pixel for each 2 × 2 of the sensor."""
    pixels = raw.postprocess(half_size=True, use_camera_wb=True, gamma=_SRGB_CURVE)
    if pixels.min() == pixels.max():  # LibRaw reports damaged values only on stderr
        raise ImageError(ImageErrorKind.CORRUPT, "the raw file holds no picture; copy the file again")
    return Image.fromarray(pixels)


def _first(facts: Exif, others: Exif) -> Exif:
    """Returns EXIF data with what is missing taken from others."""
    if facts.taken_at is None:
        facts = facts._replace(taken_at=others.taken_at, taken_offset=others.taken_offset)
    return facts if facts.camera else facts._replace(camera=others.camera)


@contextmanager
def _as_image_errors() -> Iterator[None]:
    try:
        yield
    except rawpy.LibRawUnsufficientMemoryError as error:
        raise MemoryError from error
    except rawpy.LibRawTooBigError as error:
        raise ImageError(ImageErrorKind.TOO_LARGE, f"LibRaw refuses it ({_text(error)})") from error
    except rawpy.LibRawFileUnsupportedError as error:
        raise unsupported(f"the raw files of this camera or program ({_text(error)})") from error
    except rawpy.LibRawIOError as error:
        message = f"the raw file ends too early ({_text(error)}); copy the file again"
        raise ImageError(ImageErrorKind.TRUNCATED, message) from error
    except rawpy.LibRawError as error:
        raise ImageError(ImageErrorKind.CORRUPT, f"the raw file is damaged ({_text(error)})") from error


def _text(error: Exception) -> str:
    words = error.args[0] if error.args else ""
    return words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
