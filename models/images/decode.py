"""Bytes of a photo to pixels. The only decode path: training, evaluation and the daemon all call `decode`."""

import io
from dataclasses import dataclass
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile, ImageOps
from pillow_heif import register_heif_opener

from models.errors import ImageError, ImageErrorKind
from models.images.colours import eight_bits, to_rgb
from models.images.exif import Exif
from models.images.exif import read as read_exif
from models.images.formats import DEFAULT_MAX_PIXELS, FORMATS, as_image_errors

register_heif_opener()
# All plug-ins now, while they are surely there: Pillow would look for them at the first photo, years before the last.
Image.init()
# `decode` applies its own limit, from the settings; Pillow's would warn at half of it and could not be raised by one.
Image.MAX_IMAGE_PIXELS = None
# Half a picture is an error here, never grey rows (this is Pillow's default; other packages in the process change it).
ImageFile.LOAD_TRUNCATED_IMAGES = False

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Fit:
    """How a picture becomes a square.

    side: length of the square's side in pixels.
    mode: `stretch` scales both sides to `side`; `crop` scales the shorter one and cuts the middle out.
    draft: JPEGs are decoded at the smallest DCT scale that keeps both sides at least `draft` × `side` pixels.
    """

    side: int = 224
    mode: Literal["stretch", "crop"] = "stretch"
    draft: int = 2


@dataclass(frozen=True)
class Within:
    """How a picture becomes one to look at: it keeps its shape, no side is longer than `side` pixels, and it never grows."""

    side: int


class Picture(NamedTuple):
    """A decoded photo: pixels uint8 RGB (height, width, 3), Pillow's name of its format, its size in the file (pixels).

    exif: what its camera wrote into it; the pixels are turned accordingly.
    """

    pixels: Pixels
    format: str
    width: int
    height: int
    exif: Exif = Exif()


def decode(source: bytes | BinaryIO, fit: Fit | Within, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decodes the first frame of `source` (bytes, or a binary file open at its start) to uint8 RGB.

    With a Fit its shape is (side, side, 3). The format is told from the bytes. EXIF orientation is applied, transparency
    lies over white, colour profiles are converted to sRGB. Raises ImageError for anything but a whole picture of at most
    `max_pixels`.
    """
    stream: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    with as_image_errors(stream), Image.open(stream, formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ImageError(
                ImageErrorKind.TOO_LARGE,
                f"{width} × {height} pixels are more than the limit of {max_pixels}; raise images.max_pixels to allow it",
            )
        picture_format = image.format or "unknown"
        draft = fit.side * (fit.draft if isinstance(fit, Fit) else 1)
        image.draft(None, (draft, draft))
        image.load()
        said = read_exif(image)  # after load(): some plug-ins turn the picture themselves and drop the tag
        upright = _turned(to_rgb(_resized(eight_bits(image), fit)), said.orientation)
    return Picture(np.asarray(upright, dtype=np.uint8), picture_format, width, height, said)


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """Undoes an EXIF orientation."""
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return image.transpose(turns[orientation]) if orientation in turns else image


def _resized(image: Image.Image, fit: Fit | Within) -> Image.Image:
    size = (fit.side, fit.side)
    if isinstance(fit, Within):
        image.thumbnail(size, Image.Resampling.BICUBIC)
        return image
    if fit.mode == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
