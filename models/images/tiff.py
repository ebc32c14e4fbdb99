"""TIFFs of layouts that Pillow refuses or reads wrongly: tifffile reads these, with the codecs of imagecodecs."""

import logging
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import Image
from tifffile import TIFF, TiffFileError, TiffPage

from models.errors import ImageError, ImageErrorKind
from models.images.failures import refuse_above, unsupported
from models.images.tiff_levels import (
    BLACK_IS_ZERO,
    CHANNELS,
    CIELAB,
    CMYK,
    ICCLAB,
    MASK,
    PALETTE,
    RGB,
    UNSIGNED,
    WHITE_IS_ZERO,
    YCBCR,
    Levels,
    pieces,
)

# tifffile reports damage in its log, which Python would write to stderr.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_CFA, _LINEAR_RAW = 32803, 34892
_ASSOCIATED, _UNASSOCIATED = 1, 2
_SEPARATE = 2
_NONE, _JPEG = 1, 7
_MOST_SAMPLES = 256
_DNG_VERSION = 50706

_PILLOWS_COMPRESSIONS = {1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925, 50000}
"""None, CCITT, LZW, JPEG, Deflate, PackBits, LZMA and Zstandard: Pillow has libtiff decode these."""
_PILLOWS_SAMPLES = {WHITE_IS_ZERO: (1,), BLACK_IS_ZERO: (1, 2), RGB: (3, 4), PALETTE: (1,), CMYK: (4,), YCBCR: (1, 3)}
_PILLOWS_DEEP_SAMPLES = {BLACK_IS_ZERO: (1,), RGB: (3, 4), CMYK: (4,)}
"""Samples per pixel of 8 and 16 bits, by photometric interpretation; libtiff itself converts YCbCr."""
_CODECS_TO_RGB = {6, 7, 33007, 34892, 34927, 50001, 50002, 52546}
"""JPEG, WebP and JPEG XL."""
_MODES = {
    WHITE_IS_ZERO: "L",
    BLACK_IS_ZERO: "L",
    MASK: "L",
    PALETTE: "RGB",
    RGB: "RGB",
    CMYK: "CMYK",
    YCBCR: "YCbCr",
    CIELAB: "LAB",
    ICCLAB: "LAB",
}


def is_raw(page: TiffPage) -> bool:
    """Whether a page is the first of a camera's raw file: it holds the sensor's values, or a preview of them."""
    return _DNG_VERSION in page.tags or any(one.photometric in {_CFA, _LINEAR_RAW} for one in _family(page))


def refuse_truncated(page: TiffPage) -> None:
    """Raises ImageError if the data of a page, or of one below it, end after the file does, or are too few."""
    ends = list(page.subifds or ())
    are_too_few = False
    with suppress(TiffFileError):  # a page below it lies where no page is
        for one in _family(page):
            ends += [start + length for start, length in zip(one.dataoffsets, one.databytecounts, strict=False)]
            are_too_few |= 8 * sum(one.databytecounts) < _least_bits(one)
    if are_too_few or max(ends, default=0) > page.parent.filehandle.size:
        raise ImageError(ImageErrorKind.TRUNCATED, "the image data end after the file does; copy the file again")


def _least_bits(page: TiffPage) -> int:
    """Returns how many bits the values of a sensor need: LibRaw gives chance values for those that are missing."""
    if page.photometric not in {_CFA, _LINEAR_RAW} or page.compression not in {_NONE, _JPEG}:
        return 0
    # The shortest Huffman code has one bit, and the JPEG of a sensor's values codes each of them.
    bits = page.bitspersample if page.compression == _NONE and isinstance(page.bitspersample, int) else 1
    return int(page.imagewidth * page.imagelength * page.samplesperpixel * bits)


def _family(page: TiffPage) -> Iterator[TiffPage]:
    """Yields a page and those below it."""
    yield page
    if page.subifds and page.pages is not None:
        yield from (one for one in page.pages if isinstance(one, TiffPage))


def pillow_reads(page: TiffPage) -> bool:
    """Whether Pillow has the right pixels of a page: with 8 bits, and with 16 if the channels are interleaved."""
    bits, samples, colours = page.bitspersample, page.samplesperpixel, page.photometric
    if page.compression not in _PILLOWS_COMPRESSIONS or page.sampleformat != UNSIGNED:
        return False
    if not set(page.extrasamples) <= {0, _ASSOCIATED, _UNASSOCIATED}:
        return False
    if bits in {1, 2, 4}:
        return samples == 1 and colours in {WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE}
    if bits == 8:
        return samples in _PILLOWS_SAMPLES.get(colours, ())
    return bits == 16 and page.planarconfig != _SEPARATE and samples in _PILLOWS_DEEP_SAMPLES.get(colours, ())


def read(page: TiffPage, max_pixels: int) -> Image.Image:
    """Decodes a page to 8 bits per channel.

    Floating-point values are shown between 0 and white, which is 1, 255 or 65535, whichever fits most of the values.

    Returns:
        An image of mode L, LA, RGB, RGBA, CMYK, YCbCr or LAB, as it is in the file: not turned, and in the colours of
        its profile.

    Raises:
        ImageError: It is too large, cut off, or of a kind that no library here decodes.
        Exception: The data are damaged; each codec has its own class.
    """
    refuse_above(max_pixels, page.imagewidth, page.imagelength)
    colours = _colours(page)
    _check(page, colours)
    alpha = _alpha(page, colours)
    levels = Levels(page, colours)
    channels = levels.channels + bool(alpha)
    pixels = np.zeros((page.imagelength, page.imagewidth, channels), np.uint8)
    for samples, plane, top, left in pieces(page):
        if plane < channels:
            block = levels.convert(samples)[: max(page.imagelength - top, 0), : page.imagewidth - left, :channels]
            rows, columns, count = block.shape
            pixels[top : top + rows, left : left + columns, plane : plane + count] = block
    if colours == WHITE_IS_ZERO:
        np.subtract(255, pixels[..., 0], out=pixels[..., 0])
    mode = _MODES[colours] + {0: "", _ASSOCIATED: "a", _UNASSOCIATED: "A"}[alpha]
    image = Image.frombuffer(mode, (page.imagewidth, page.imagelength), pixels, "raw", mode, 0, 1)
    if alpha == _ASSOCIATED:
        image = image.convert(_MODES[colours] + "A")
    if page.iccprofile:
        image.info["icc_profile"] = page.iccprofile
    return image


def _colours(page: TiffPage) -> int:
    """Returns the photometric interpretation of the decoded samples: some codecs give RGB for YCbCr."""
    return RGB if page.photometric == YCBCR and page.compression in _CODECS_TO_RGB else int(page.photometric)


def _check(page: TiffPage, colours: int) -> None:
    if not page.imagewidth or not page.imagelength or page.samplesperpixel > _MOST_SAMPLES:
        size = f"{page.imagewidth} × {page.imagelength} pixels of {page.samplesperpixel} channels"
        raise ImageError(ImageErrorKind.CORRUPT, f"the header is damaged: it states {size}; copy the file again")
    if page.compression not in TIFF.DECOMPRESSORS:
        raise _unsupported(f"compression {_name(page.compression)}")
    if colours not in _MODES:
        raise _unsupported(f"colours {_name(page.photometric)}")
    if page.dtype is None or page.dtype.kind not in "buif" or not isinstance(page.bitspersample, int):
        raise _unsupported(f"{page.bitspersample} bits per sample, sample format {page.sampleformat}")
    is_subsampled = colours == YCBCR and page.is_subsampled
    if is_subsampled or page.samplesperpixel < CHANNELS[colours] or page.imagedepth > 1:
        raise _unsupported(f"layout {page.shape}")
    refuse_truncated(page)


def _name(value: int) -> str:
    return str(getattr(value, "name", value))


def _unsupported(what: str) -> ImageError:
    return unsupported(f"a TIFF with {what}")


def _alpha(page: TiffPage, colours: int) -> int:
    """Returns the kind of the alpha channel after the colours, 0 for none."""
    extra = page.extrasamples[0] if page.extrasamples else 0
    has_alpha = colours in {WHITE_IS_ZERO, BLACK_IS_ZERO, RGB} and page.samplesperpixel > CHANNELS[colours]
    return int(extra) if has_alpha and extra in {_ASSOCIATED, _UNASSOCIATED} else 0
