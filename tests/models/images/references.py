"""Other libraries that read pictures, as uint8 RGB (height, width, 3), upright, over white."""

import io
from collections.abc import Callable
from typing import NamedTuple

import av
import imagecodecs
import numpy as np
import pyvips
import skimage.color
import skimage.data
import tifffile

from tests.models.images.scenes import HEIGHT, WIDTH, Array, as_rgb, over_white


class Variant(NamedTuple):
    """A picture. data: its file; expected: reads it by another library, as uint8 RGB (height, width, 3), upright."""

    format: str
    name: str
    data: Callable[[], bytes]
    expected: Callable[[bytes], Array]


def by_vips(data: bytes) -> Array:
    """libvips: its profile applied, turned, over white."""
    image = pyvips.Image.new_from_buffer(data, "").autorot()
    if image.get_typeof("icc-profile-data"):
        image = image.icc_transform("srgb", embedded=True)
    image = image.colourspace("srgb")
    if image.hasalpha():
        image = image.flatten(background=255)
    return np.asarray(image.cast("uchar").numpy()).reshape(HEIGHT, WIDTH, 3)


def by_vips_rebranded(data: bytes) -> Array:
    """libvips, which knows an AVIF only by the major brand avif."""
    return by_vips(data[:8] + b"avif" + data[12:])


def by_ffmpeg(data: bytes) -> Array:
    with av.open(io.BytesIO(data), "r") as file:
        return np.asarray(next(file.decode(video=0)).to_ndarray(format="rgb24"))


def by_tifffile(data: bytes) -> Array:
    """tifffile's samples, scaled as they are defined."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        samples, photometric, bits = page.asarray(), int(page.photometric), page.bitspersample
        if page.planarconfig == 2 and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
        if photometric == 3:
            return (np.moveaxis(np.asarray(page.colormap)[:, samples], 0, -1) / 257).astype(np.uint8)
        if photometric == 8:
            return by_skimage(samples, bits)
        full = 1.0 if samples.dtype.kind == "f" else 2.0 ** (bits - (samples.dtype.kind == "i")) - 1
        levels = np.clip(samples.astype(float) / full, 0, 1) * 255
        levels = 255 - levels if photometric == 0 else levels
        if photometric == 5:
            levels = (255 - levels[..., :3]) * (255 - levels[..., 3:]) / 255
        if levels.ndim == 3 and levels.shape[2] in {2, 4}:
            return over_white(as_rgb(np.squeeze(levels[..., :-1])), levels[..., -1])
        return as_rgb(np.rint(levels).astype(np.uint8))


def by_skimage(samples: Array, bits: int) -> Array:
    """CIE L*a*b* by its definition."""
    signed = samples.astype(np.int16 if bits == 16 else np.int8, casting="unsafe").astype(float) / 2 ** (bits - 8)
    lab = np.dstack([samples[..., 0] / (2.0**bits - 1) * 100, signed[..., 1:]])
    return np.asarray(np.clip(skimage.color.lab2rgb(lab), 0, 1) * 255, np.uint8)


def by_imagecodecs(data: bytes) -> Array:
    """libjxl's samples of a JPEG XL; imagecodecs writes those of more than 8 bits as linear light."""
    samples = imagecodecs.jpegxl_decode(data)
    levels = samples.astype(float) / (1.0 if samples.dtype.kind == "f" else np.iinfo(samples.dtype).max)
    has_alpha = levels.ndim == 3 and levels.shape[2] == 4
    colours = levels[..., :3] if has_alpha else levels
    if samples.dtype != np.uint8:  # IEC 61966-2-1
        colours = np.where(
            colours <= 0.0031308, 12.92 * colours, 1.055 * np.maximum(colours, 1e-9) ** (1 / 2.4) - 0.055
        )
    pixels = np.rint(np.clip(as_rgb(colours), 0, 1) * 255).astype(np.uint8)
    return over_white(pixels, levels[..., 3] * 255) if has_alpha else pixels


def known(pixels: Array) -> Callable[[bytes], Array]:
    """What a lossless file was made of."""
    return lambda _: as_rgb(pixels)
