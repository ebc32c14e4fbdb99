"""Converts all of Pillow's colour modes to 8-bit sRGB."""

import io
from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms


def eight_bits(image: Image.Image) -> Image.Image:
    """Converts any mode to one that can be resized: 8 bits per channel, no palette."""
    if image.mode.startswith("I"):  # Pillow's own conversion clips 16-bit values at 255 instead of scaling them
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8))
    if image.mode == "F":
        floats = np.nan_to_num(np.asarray(image))
        scale = 255.0 if floats.max(initial=0.0) <= 1.0 else 1.0
        return Image.fromarray(np.clip(floats * scale, 0, 255).astype(np.uint8))
    if image.mode in {"P", "PA"}:
        return image.convert("RGBA" if image.mode == "PA" or "transparency" in image.info else "RGB")
    if image.mode == "1":
        return image.convert("L")
    if image.mode in {"L", "RGB"} and "transparency" in image.info:  # one colour is transparent
        return image.convert("RGBA")
    return image


def to_rgb(image: Image.Image) -> Image.Image:
    """Converts colours to sRGB by the image's profile; composes transparency over white."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "LAB"}:
        transform = _to_srgb(bytes(profile), image.mode)
        if transform is not None:
            return transform.apply(image)
    if image.mode in {"RGBA", "LA", "La", "RGBa"}:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


@lru_cache(maxsize=64)  # building one is slower than applying it, and a phone always writes the same profile
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _srgb(), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged or unsupported profile: use the colours as they are
        return None


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
