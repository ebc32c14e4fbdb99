"""Converts all of Pillow's colour modes to 8-bit sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

_STRIP_PIXELS = 1 << 22
"""Deep pixels are converted in strips of about this many, since numpy needs several copies of them."""


def eight_bits(image: Image.Image) -> Image.Image:
    """Converts any mode to one that can be resized: 8 bits per channel, no palette."""
    if image.mode.startswith("I") or image.mode == "F":
        return _deep_to_grey(image)
    if image.mode in {"P", "PA"}:
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in {"L", "RGB"} and "transparency" in image.info:  # one colour is transparent
        return image.convert("RGBA")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts colours to sRGB by the image's profile; composes transparency over white."""
    if image.mode in {"La", "RGBa"}:
        image = image.convert(image.mode.upper())
    if image.mode not in {"LA", "RGBA"}:
        return _opaque_to_rgb(image)
    opaque = _opaque_to_rgb(image.convert(image.mode.removesuffix("A")))
    return Image.composite(opaque, Image.new("RGB", image.size, "white"), image.getchannel("A"))


def _opaque_to_rgb(image: Image.Image) -> Image.Image:
    profile = bytes(image.info.get("icc_profile") or b"")
    if image.mode == "YCbCr":
        image = image.convert("RGB")
    transform = _to_srgb(profile, image.mode) if profile else None
    if transform is None and image.mode == "LAB":
        transform = _to_srgb(b"", "LAB")
    return transform.apply(image) if transform else image.convert("RGB")


def _deep_to_grey(image: Image.Image) -> Image.Image:
    """Converts whole numbers of 16 bits, and floating-point numbers from 0 to 1 or 0 to 255."""
    grey = Image.new("L", image.size)
    grey.info = dict(image.info)
    rows = max(_STRIP_PIXELS // max(image.width, 1), 1)
    is_float = image.mode == "F"
    scale = 255.0 if is_float and np.max(image.getextrema()) <= 1.0 else 1.0
    for top in range(0, image.height, rows):
        values = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
        # Pillow's own conversion clips 16-bit values at 255 instead of scaling them.
        levels = np.clip(np.nan_to_num(values) * scale, 0, 255) if is_float else np.clip(values, 0, 65535) >> 8
        grey.paste(Image.fromarray(levels.astype(np.uint8)), (0, top))
    return grey


@lru_cache(maxsize=64)  # building one is slower than applying it, and a phone always writes the same profile
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Returns the transform from a profile, or from CIE L*a*b* for none."""
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile)) if profile else ImageCms.createProfile("LAB")
        return ImageCms.buildTransform(source, _srgb(), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged or unsupported profile: use the colours as they are
        return None


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
