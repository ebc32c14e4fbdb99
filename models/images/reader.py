"""Reads a file with the library for its format, which its first bytes tell."""

from collections.abc import Callable
from functools import partial
from typing import BinaryIO

import imagecodecs
from PIL import AvifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin
from pillow_heif import register_heif_opener
from pillow_jxl import JpegXLImagePlugin
from tifffile import COMPRESSION, PREDICTOR, TIFF, TiffFile, TiffPage

from models.images import exif, jpeg, jpeg2000, jxl, raw, raw_tags, tiff, webp
from models.images.failures import refuse_above, refuse_truncated
from models.images.formats import IDENTIFYING_BYTES, RAW_FORMATS, identify
from models.images.loaded import Loaded

_TEXT_BYTES = 64 << 20
_WEAK = ("DIB", "TIFF")
"""Pillow's formats for bytes that tell nothing else: headers that are too weak a sign, or slightly wrong."""

register_heif_opener()
# Pillow takes only the brands that are AVIF's alone; `identify` looks at all brands of a file.
Image.register_open("AVIF", AvifImagePlugin.AvifImageFile, lambda prefix: prefix[4:8] == b"ftyp")
# Load all plug-ins now: Pillow would load them at the first photo, when an upgrade may have replaced their files.
Image.init()
# `refuse_above` applies the limit from the settings. Pillow's own would warn at half of it and could not be raised.
Image.MAX_IMAGE_PIXELS = None
# A truncated image is an error and not filled with grey. This is Pillow's default, but other packages may change it.
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Profiles and notes of editors exceed Pillow's limit of 1 MiB; the reserve of a decoder's memory holds this much.
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = _TEXT_BYTES

# Only libtiff reads uncompressed YCbCr with subsampled colours; Pillow's own reader is for plain layouts.
TiffImagePlugin.READ_LIBTIFF = True

_CODECS = (
    "bitorder_decode",
    "float24_decode",
    "jpeg2k_decode",
    "jpeg8_decode",
    "jpegls_decode",
    "ljpeg_decode",
    "packints_decode",
    "webp_decode",
)
"""Functions that are called by name: imagecodecs imports each at its first use."""

_Reader = Callable[[BinaryIO, int, int], Loaded]


def read(stream: BinaryIO, side: int, max_pixels: int) -> Loaded:
    """Decodes the first frame of an image.

    Args:
        stream: A binary file. It is read from its start.
        side: The image may be decoded at a reduced scale that keeps both sides at least this long (pixels).
        max_pixels: Largest image (width × height).

    Raises:
        ImageError: It is too large, or of a kind that no library here decodes.
        Exception: It is no complete image; `models.images.failures.as_image_errors` tells why.
    """
    stream.seek(0)
    image_format = identify(stream.read(IDENTIFYING_BYTES))
    if image_format in RAW_FORMATS:
        return _read_raw(stream, side, max_pixels, image_format)
    reader = _READERS.get(image_format or "")
    if reader:
        return reader(stream, side, max_pixels)
    return _read_by_pillow(stream, side, max_pixels, (image_format,) if image_format else _WEAK)


def load_codecs() -> None:
    """Imports the codecs that tifffile loads at the first image that needs them: later they may be out of reach."""
    for compression in COMPRESSION:
        TIFF.DECOMPRESSORS.get(compression)
    for predictor in PREDICTOR:
        TIFF.UNPREDICTORS.get(predictor)
    for name in _CODECS:
        getattr(imagecodecs, name)


def _read_by_pillow(stream: BinaryIO, side: int, max_pixels: int, formats: tuple[str, ...]) -> Loaded:
    with Image.open(stream, formats=formats) as image:
        width, height = image.size
        refuse_above(max_pixels, width, height)
        image.draft(None, (side, side))
        image.load()
        # After load(): some plug-ins rotate the image themselves and drop the tag.
        return Loaded(image, image.format or "unknown", width, height, exif.read(image.getexif))


def _read_jpeg(stream: BinaryIO, side: int, max_pixels: int) -> Loaded:
    header = jpeg.frame(stream)
    if header is None or header.is_plain:
        return _read_by_pillow(stream, side, max_pixels, ("JPEG",))
    return jpeg.read(stream, header, max_pixels)


def _read_webp(stream: BinaryIO, side: int, max_pixels: int) -> Loaded:
    if webp.is_large_still(stream):
        return webp.read(stream, max_pixels)
    return _read_by_pillow(stream, side, max_pixels, ("WEBP",))


def _read_jxl(stream: BinaryIO, side: int, max_pixels: int) -> Loaded:
    if size := jxl.size(stream):
        refuse_above(max_pixels, *size)
    loaded = _read_by_pillow(stream, side, max_pixels, ("JXL",))
    if isinstance(loaded.image, JpegXLImagePlugin.JXLImageFile) and loaded.image.jpeg:
        return loaded
    # The codestream has an orientation of its own, which libjxl has applied; that of EXIF is for other programs.
    return loaded._replace(exif=loaded.exif._replace(orientation=1))


def _read_tiff(stream: BinaryIO, side: int, max_pixels: int) -> Loaded:
    page = _first_page(stream)
    if page is not None and tiff.is_raw(page):
        return _read_raw(stream, side, max_pixels, raw_tags.format_of(page))
    if page is None or tiff.pillow_reads(page):
        return _read_by_pillow(stream, side, max_pixels, ("TIFF",))
    image = tiff.read(page, max_pixels)
    return Loaded(image, "TIFF", *image.size, exif.read(partial(_tiff_tags, stream)))


def _first_page(stream: BinaryIO) -> TiffPage | None:
    stream.seek(0)
    try:
        page = TiffFile(stream).pages.first
    except Exception:  # noqa: BLE001  # damaged in one of many ways; Pillow may still read it, or tell why not
        return None
    return page if isinstance(page, TiffPage) else None


def _tiff_tags(stream: BinaryIO) -> Image.Exif:
    tags = Image.Exif()
    stream.seek(0)
    tags.load_from_fp(stream)
    return tags


def _read_raw(stream: BinaryIO, side: int, max_pixels: int, image_format: str) -> Loaded:
    refuse_truncated(stream)
    if image_format not in {"CR3", "RAF", "RW2"} and (page := _first_page(stream)):
        tiff.refuse_truncated(page)
    return raw.read(stream, image_format, side, max_pixels)


_READERS: dict[str, _Reader] = {
    "JPEG": _read_jpeg,
    "WEBP": _read_webp,
    "JXL": _read_jxl,
    "JPEG2000": jpeg2000.read,
    "TIFF": _read_tiff,
}
