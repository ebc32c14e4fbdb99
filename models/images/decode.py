"""Decodes photos to pixels. Training, evaluation and the daemon all use `decode`."""

import io
from dataclasses import dataclass
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from models.images import reader
from models.images.colours import eight_bits, to_rgb
from models.images.exif import Exif
from models.images.failures import as_image_errors
from models.images.formats import DEFAULT_MAX_PIXELS

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fit:
    """How an image becomes the square input of the network.

    Attributes:
        side: Side of the square (pixels).
        mode: `stretch` scales both sides to `side`; `crop` scales the shorter side and crops the centre.
        draft: JPEGs are decoded at the smallest DCT scale that keeps both sides at least `draft` × `side` pixels.
    """

    side: int = 224
    mode: Literal["stretch", "crop"] = "stretch"
    draft: int = 2


@dataclass(frozen=True)
class Within:
    """How an image is scaled for people: it keeps its aspect ratio and is never enlarged.

    Attributes:
        side: Longest side (pixels).
    """

    side: int


class Picture(NamedTuple):
    """A decoded photo.

    Attributes:
        pixels: uint8 RGB (height, width, 3), upright.
        format: Name of the file format, see `models.images.formats.FORMATS`.
        width: Width in the file, before scaling and rotation (pixels).
        height: Height in the file (pixels).
        exif: The EXIF data.
    """

    pixels: Pixels
    format: str
    width: int
    height: int
    exif: Exif = Exif()


def decode(source: bytes | BinaryIO, fit: Fit | Within, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decodes the first frame of an image, upright, in sRGB, with transparency over white.

    The format is detected from the bytes.

    Args:
        source: The bytes, or a binary file open at its start.
        fit: The size of the result; with a Fit its shape is (side, side, 3).
        max_pixels: Largest image (width × height).

    Raises:
        ImageError: It is not a complete image of at most `max_pixels` pixels.
    """
    stream: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    with as_image_errors(stream):
        loaded = reader.read(stream, _least_side(fit), max_pixels)
        upright = _rotate(to_rgb(_resize(eight_bits(loaded.image), fit)), loaded.exif.orientation)
    pixels = np.asarray(upright, dtype=np.uint8)
    return Picture(pixels, loaded.format, loaded.width, loaded.height, loaded.exif)


def load_upright(source: BinaryIO, fit: Fit) -> Image.Image:
    """Loads a photo as 8-bit sRGB and upright, before it is resized: at the JPEG scale that `decode` would choose.

    Raises:
        ImageError: It is not a complete image.
    """
    with as_image_errors(source):
        loaded = reader.read(source, _least_side(fit), DEFAULT_MAX_PIXELS)
        return _rotate(to_rgb(eight_bits(loaded.image)), loaded.exif.orientation)


def _least_side(fit: Fit | Within) -> int:
    return fit.side * (fit.draft if isinstance(fit, Fit) else 1)


def _rotate(image: Image.Image, orientation: int) -> Image.Image:
    """Rotates and flips an image of an EXIF orientation upright."""
    transposes = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(transposes[orientation]) if orientation in transposes else image


def _resize(image: Image.Image, fit: Fit | Within) -> Image.Image:
    size = (fit.side, fit.side)
    if isinstance(fit, Within):
        image.thumbnail(size, Image.Resampling.BICUBIC)
        return image
    if fit.mode == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
