"""The scene of the matrix, in all depths and colours."""

import io
from collections.abc import Callable
from functools import cache
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pyvips
import skimage.color
import skimage.data
from PIL import Image

import models.images.decode  # noqa: F401  # registers HEIF and JPEG XL with Pillow

Array = npt.NDArray[Any]


WIDTH, HEIGHT = 120, 90


@cache
def scene() -> Array:
    """A photo, uint8 RGB."""
    photo = Image.fromarray(skimage.data.astronaut()).resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
    return np.asarray(photo)


@cache
def grey() -> Array:
    return np.asarray(Image.fromarray(scene()).convert("L"))


@cache
def alpha() -> Array:
    """A gradient, uint8 (height, width)."""
    return np.broadcast_to(np.linspace(0, 255, WIDTH).astype(np.uint8), (HEIGHT, WIDTH)).copy()


def cmyk() -> Array:
    return np.asarray(Image.fromarray(scene()).convert("CMYK"))


def lab() -> Array:
    """The scene as 16-bit CIE L*a*b*, a* and b* as two's complement."""
    values = skimage.color.rgb2lab(scene())
    signed = (values[..., 1:] * 256).astype(np.int16).view(np.uint16)
    return np.dstack([(values[..., :1] * 655.35).astype(np.uint16), signed])


DEPTHS: dict[str, Callable[[Array], Array]] = {
    "uint8": lambda levels: levels,
    "uint16": lambda levels: levels.astype(np.uint16) * 257,
    "uint32": lambda levels: levels.astype(np.uint32) * 16843009,
    "int16": lambda levels: (levels.astype(np.int32) * 32767 // 255).astype(np.int16),
    "float16": lambda levels: (levels / 255).astype(np.float16),
    "float32": lambda levels: (levels / 255).astype(np.float32),
    "float64": lambda levels: levels / 255,
}


COLOURS: dict[str, tuple[Callable[[], Array], dict[str, Any]]] = {
    "grey": (grey, {"photometric": "minisblack"}),
    "WhiteIsZero": (lambda: 255 - grey(), {"photometric": "miniswhite"}),
    "RGB": (scene, {"photometric": "rgb"}),
    "RGBA": (lambda: np.dstack([scene(), alpha()]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "LA": (lambda: np.dstack([grey(), alpha()]), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "CMYK": (lambda: cmyk(), {"photometric": "separated"}),
}


def twelve(levels: Array) -> Array:
    return levels.astype(np.uint16) << 4 | levels >> 4


def turned(pixels: Array, code: int) -> Array:
    """Pixels as a camera stores them that writes this EXIF orientation."""
    undo: dict[int, Callable[[Array], Array]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
        8: lambda p: np.rot90(p, 3),
    }
    return np.ascontiguousarray(undo[code](pixels))


@cache
def wide_profile() -> bytes:
    """Display P3."""
    return bytes(pyvips.Operation.call("profile_load", "p3"))


@cache
def grey_profile() -> bytes:
    """Grey with a gamma of 1.0, far from sRGB's."""
    return bytes(imagecodecs.cms_profile("gray", gamma=1.0))


def over_white(colours: Array, opacity: Array) -> Array:
    share = opacity.astype(float)[..., None] / 255
    return np.rint(colours * share + 255 * (1 - share)).astype(np.uint8)


def as_rgb(levels: Array) -> Array:
    return np.dstack([levels] * 3) if levels.ndim == 2 else levels


def saved(image: Array | Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(file, form, **options)
    return file.getvalue()


def encoded(codec: str, samples: Array, **options: Any) -> bytes:
    """Samples encoded by a codec of imagecodecs."""
    return bytes(getattr(imagecodecs, f"{codec}_encode")(samples, **options))
