"""PNGs, JPEGs, GIFs and bitmaps of each depth and colour."""

import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pyvips
from PIL import Image, PngImagePlugin

from tests.models.images.references import Variant, by_ffmpeg, by_vips, known
from tests.models.images.scenes import DEPTHS, alpha, encoded, grey, grey_profile, saved, scene, turned, wide_profile


def pngs() -> Iterator[Variant]:
    variant = partial(Variant, "PNG")
    deep = DEPTHS["uint16"]
    for name, samples in {
        "8-bit grey": grey(),
        "8-bit RGB": scene(),
        "8-bit RGBA": np.dstack([scene(), alpha()]),
        "8-bit LA": np.dstack([grey(), alpha()]),
        "16-bit grey": deep(grey()),
        "16-bit RGB": deep(scene()),
        "16-bit RGBA": deep(np.dstack([scene(), alpha()])),
        "16-bit LA": deep(np.dstack([grey(), alpha()])),
    }.items():
        yield variant(name, partial(encoded, "png", samples), by_vips)
    image = Image.fromarray(scene())
    yield variant("palette", partial(saved, image.quantize(64), "PNG"), by_vips)
    yield variant("bilevel", partial(saved, Image.fromarray(grey() > 99), "PNG"), by_vips)
    for bits in (2, 4):
        yield variant(f"{bits}-bit palette", partial(saved, image.quantize(1 << bits), "PNG", bits=bits), by_vips)
    yield variant("interlaced", partial(by_vips_saved, ".png", interlace=True), by_vips)
    yield variant("profile", partial(saved, image, "PNG", icc_profile=wide_profile()), by_vips)
    with_alpha = Image.fromarray(np.dstack([scene(), alpha()]))
    yield variant("RGBA with a profile", partial(saved, with_alpha, "PNG", icc_profile=wide_profile()), by_vips)
    yield variant("grey profile", partial(saved, grey(), "PNG", icc_profile=grey_profile()), by_vips)
    yield variant("profile of 3 MB", partial(saved, image, "PNG", icc_profile=padded_profile()), by_vips)
    for name in ("zTXt", "iTXt"):
        yield variant(f"compressed text of 3 MB, {name}", partial(with_text, name), by_vips)


def padded_profile() -> bytes:
    padding = bytes(3 << 20)
    return struct.pack(">I", len(wide_profile()) + len(padding)) + wide_profile()[4:] + padding


def with_text(chunk: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    text = "a note of an editor\n" * 160_000
    if chunk == "iTXt":
        info.add_itxt("note", text, zip=True)
    else:
        info.add_text("note", text, zip=True)
    return saved(scene(), "PNG", pnginfo=info)


def by_vips_saved(suffix: str, **options: Any) -> bytes:
    return bytes(pyvips.Image.new_from_array(scene(), interpretation="srgb").write_to_buffer(suffix, **options))


def jpegs() -> Iterator[Variant]:
    variant = partial(Variant, "JPEG")
    image = Image.fromarray(scene())
    kinds: dict[str, dict[str, Any]] = {
        "RGB": {},
        "4:4:4": {"subsampling": 0},
        "progressive": {"progressive": True},
        "profile": {"icc_profile": wide_profile()},
    }
    for name, options in kinds.items():
        yield variant(name, partial(saved, image, "JPEG", quality=95, **options), by_vips)
    yield variant("grey", partial(saved, grey(), "JPEG", quality=95), by_vips)
    yield variant("CMYK", partial(saved, image.convert("CMYK"), "JPEG", quality=95), known(scene()))
    for code in range(2, 9):
        exif = Image.Exif()
        exif[0x0112] = code
        stored = Image.fromarray(turned(scene(), code))
        yield variant(f"orientation {code}", partial(saved, stored, "JPEG", quality=95, exif=exif), by_vips)
    for bits, shift in ((12, 4), (16, 8)):
        for colour, levels in (("grey", grey()), ("RGB", scene())):
            samples = levels.astype(np.uint16) << shift
            lossless = partial(encoded, "jpeg8", samples, lossless=True, bitspersample=bits)
            yield variant(f"lossless {bits}-bit {colour}", lossless, known(levels))
            if bits == 12:
                twelve_bits = partial(encoded, "jpeg8", samples, level=98, bitspersample=12)
                yield variant(f"12-bit {colour}", twelve_bits, known(levels))
    for bits in (8, 16):
        for colour, levels in (("grey", grey()), ("RGB", scene())):
            samples = levels.astype(np.uint16) << bits - 8 if bits > 8 else levels
            yield Variant("JPEGLS", f"{bits}-bit {colour}", partial(encoded, "jpegls", samples), known(levels))


def bitmaps() -> Iterator[Variant]:
    """GIF and BMP."""
    image = Image.fromarray(scene())
    yield Variant("GIF", "palette", partial(saved, image, "GIF"), by_vips)
    yield Variant("GIF", "transparent", partial(saved, image.quantize(64), "GIF", transparency=3), by_vips)
    for mode in ("1", "L", "P", "RGB"):
        yield Variant("BMP", mode, partial(saved, image.convert(mode), "BMP"), by_ffmpeg)
