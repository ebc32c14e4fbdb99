"""Files in the shapes of cameras' raw files, made of the scene of the matrix."""

import io
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.models.images.scenes import Array, saved, turned

# TIFF/EP and DNG: the tags that LibRaw needs.
_MAKE, _MODEL, _ORIENTATION, _EXIF_TIME = 271, 272, 274, 306
_CFA_DIM, _CFA_PATTERN, _DNG_VERSION, _UNIQUE_MODEL = 33421, 33422, 50706, 50708
_BLACK, _WHITE, _COLOUR_MATRIX, _NEUTRAL, _ILLUMINANT = 50714, 50717, 50721, 50728, 50778
_SRGB_FROM_XYZ = ((3.2406, -1.5372, -0.4986), (-0.9689, 1.8758, 0.0415), (0.0557, -0.2040, 1.0570))
_WHITE_LEVEL = 16383
_D65 = 21


def picture(width: int = 800, height: int = 600) -> Array:
    """A photo with white in it, uint8 RGB."""
    import skimage.data

    photo = Image.fromarray(skimage.data.astronaut()).resize((width, height), Image.Resampling.LANCZOS)
    pixels = np.array(photo)
    pixels[: height // 10, : width // 10] = 255
    return pixels


def dng(
    pixels: Array,
    *,
    previews: tuple[bytes, ...] = (),
    orientation: int = 1,
    make: str = "Acme",
    is_dng: bool = True,
    has_sensor: bool = True,
) -> bytes:
    """A DNG, or a raw file like it: a thumbnail of 80 × 60, JPEGs as previews, and the sensor's values.

    Args:
        pixels: The scene, uint8 RGB (even height, even width, 3), upright.
        previews: JPEGs.
        orientation: EXIF's orientation of the sensor's values.
        make: The camera's maker.
        is_dng: Whether the tags of DNG are there.
        has_sensor: Whether there are any values of the sensor.
    """
    stored = turned(pixels, orientation)
    thumbnail = np.asarray(Image.fromarray(stored).resize((80, 60)))
    tags: list[tuple[int, str, int, Any, bool]] = [
        (_MAKE, "s", 0, make, True),
        (_MODEL, "s", 0, "One", True),
        (_ORIENTATION, "H", 1, orientation, True),
        (_EXIF_TIME, "s", 0, "2026:07:01 18:30:00", True),
    ]
    if is_dng:
        matrix = [part for row in _SRGB_FROM_XYZ for value in row for part in (round(value * 10_000), 10_000)]
        tags += [
            (_DNG_VERSION, "B", 4, (1, 4, 0, 0), True),
            (_UNIQUE_MODEL, "s", 0, f"{make} One", True),
            (_COLOUR_MATRIX, "2i", 9, tuple(matrix), True),
            (_NEUTRAL, "2I", 3, (1, 1) * 3, True),
            (_ILLUMINANT, "H", 1, _D65, True),
        ]
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder="<") as writer:
        count = len(previews) + has_sensor
        writer.write(
            thumbnail, photometric="rgb", subfiletype=1, subifds=count, extratags=tags, metadata=None, software=False
        )
        if has_sensor:
            writer.write(
                mosaic(stored),
                photometric="cfa",
                subfiletype=0,
                metadata=None,
                software=False,
                extratags=[
                    (_CFA_DIM, "H", 2, (2, 2), True),
                    (_CFA_PATTERN, "B", 4, (0, 1, 1, 2), True),
                    (_BLACK, "H", 1, 0, True),
                    (_WHITE, "H", 1, _WHITE_LEVEL, True),
                ],
            )
        for jpeg in previews:
            with Image.open(io.BytesIO(jpeg)) as image:
                shape = (image.height, image.width, 3)
            writer.write(
                iter([jpeg]),
                shape=shape,
                dtype=np.uint8,
                photometric="ycbcr",
                compression="jpeg",
                rowsperstrip=shape[0],
                subfiletype=1,
                metadata=None,
                software=False,
            )
    return file.getvalue()


def jpeg(pixels: Array, width: int = 800, **options: Any) -> bytes:
    """A preview of a scene."""
    size = width, round(width * pixels.shape[0] / pixels.shape[1])
    return saved(Image.fromarray(pixels).resize(size), "JPEG", quality=95, **options)


def mosaic(pixels: Array) -> Array:
    """The linear light of a scene behind the colour filters RGGB, uint16 (height, width)."""
    share = pixels / 255.0
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    levels = np.rint(linear * _WHITE_LEVEL).astype(np.uint16)
    values = levels[..., 1].copy()
    values[::2, ::2] = levels[::2, ::2, 0]
    values[1::2, 1::2] = levels[1::2, 1::2, 2]
    return np.asarray(values)
