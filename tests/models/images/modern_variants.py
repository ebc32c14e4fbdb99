"""WebP, AVIF, HEIF, JPEG XL and JPEG 2000."""

import io
import itertools
import struct
from collections.abc import Iterator
from functools import partial

import imagecodecs
import numpy as np
import pillow_heif
from PIL import Image

from tests.models.images.references import Variant, by_ffmpeg, by_imagecodecs, by_vips, by_vips_rebranded, known
from tests.models.images.scenes import (
    COLOURS,
    DEPTHS,
    HEIGHT,
    WIDTH,
    alpha,
    as_rgb,
    encoded,
    grey,
    over_white,
    saved,
    scene,
    wide_profile,
)


def webps() -> Iterator[Variant]:
    variant, image = partial(Variant, "WEBP"), Image.fromarray(scene())
    with_alpha = Image.fromarray(np.dstack([scene(), alpha()]))
    yield variant("lossy", partial(saved, image, "WEBP", quality=95), by_vips)
    yield variant("lossless", partial(saved, image, "WEBP", lossless=True), by_vips)
    yield variant("profile", partial(saved, image, "WEBP", icc_profile=wide_profile()), by_vips)
    yield variant("alpha", partial(saved, with_alpha, "WEBP", lossless=True), by_vips)
    frames = {"save_all": True, "append_images": [image.rotate(90)]}
    yield variant("animated", partial(saved, image, "WEBP", lossless=True, **frames), known(scene()))


def heifs() -> Iterator[Variant]:
    """AVIF and HEIF, which share a container."""
    avif, heif = partial(Variant, "AVIF"), partial(Variant, "HEIF")
    image = Image.fromarray(scene())
    with_alpha = Image.fromarray(np.dstack([scene(), alpha()]))
    yield avif("4:2:0", partial(saved, image, "AVIF", quality=90), by_vips)
    yield avif("4:4:4", partial(saved, image, "AVIF", quality=90, subsampling="4:4:4"), by_vips)
    yield avif("profile", partial(saved, image, "AVIF", quality=90, icc_profile=wide_profile()), by_vips)
    yield avif("alpha", partial(saved, with_alpha, "AVIF", quality=90), by_vips)
    for bits in (10, 12):
        samples = scene().astype(np.uint16) << bits - 8
        yield avif(f"{bits}-bit", partial(encoded, "avif", samples, level=95, bitspersample=bits), by_vips)
    for brand in (b"mif1", b"miaf"):
        yield avif(f"major brand {brand.decode()}", partial(branded, brand), by_vips_rebranded)
    yield heif("8-bit", partial(saved, image, "HEIF", quality=90), by_ffmpeg)
    yield heif("4:4:4", partial(saved, image, "HEIF", quality=90, chroma=444), by_ffmpeg)
    yield heif("10-bit", ten_bit_heif, by_ffmpeg)
    yield heif("major brand mif1", partial(branded, b"mif1", "HEIF"), by_ffmpeg)


def jxls() -> Iterator[Variant]:
    variant = partial(Variant, "JXL")
    for depth, colour in itertools.product(("uint8", "uint16", "float32"), ("grey", "RGB", "RGBA")):
        samples = DEPTHS[depth](COLOURS[colour][0]())
        yield variant(f"{depth} {colour}", partial(encoded, "jpegxl", samples, lossless=True), by_imagecodecs)
    yield variant("lossy", partial(encoded, "jpegxl", scene(), level=90), by_imagecodecs)
    yield variant("container", partial(encoded, "jpegxl", scene(), level=90, usecontainer=True), by_imagecodecs)
    yield variant("from a JPEG", partial(jxl_of_jpeg), by_imagecodecs)
    wide = partial(saved, Image.fromarray(scene()), "PNG", icc_profile=wide_profile())
    yield variant("profile", jxl_with_profile, lambda _: by_vips(wide()))


def jp2s() -> Iterator[Variant]:
    variant = partial(Variant, "JPEG2000")
    for depth, colour in itertools.product(("uint8", "uint16"), ("grey", "RGB", "RGBA", "LA")):
        samples = DEPTHS[depth](COLOURS[colour][0]())
        colours = grey() if colour in {"grey", "LA"} else scene()
        expected = known(over_white(as_rgb(colours), alpha())) if colour in {"RGBA", "LA"} else by_ffmpeg
        yield variant(f"{depth} {colour}", partial(encoded, "jpeg2k", samples, level=0, reversible=True), expected)
    for bits in (10, 12):
        samples = scene().astype(np.uint16) << bits - 8
        yield variant(f"{bits}-bit", partial(encoded, "jpeg2k", samples, level=0, bitspersample=bits), known(scene()))
    yield variant("codestream", partial(encoded, "jpeg2k", scene(), codecformat="j2k"), by_ffmpeg)
    yield variant("lossy", partial(encoded, "jpeg2k", scene(), level=50), by_ffmpeg)
    wide = partial(saved, Image.fromarray(scene()), "PNG", icc_profile=wide_profile())
    yield variant("profile", jp2_with_profile, lambda _: by_vips(wide()))


def branded(brand: bytes, form: str = "AVIF") -> bytes:
    """A file whose major brand is of the container; that of the codec is among the compatible ones."""
    data = saved(scene(), form, quality=90)
    return data[:8] + brand + data[12:]


def ten_bit_heif() -> bytes:
    file = io.BytesIO()
    samples = np.ascontiguousarray(scene().astype(np.uint16) << 8)
    pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), samples.tobytes()).save(file, quality=90)
    return file.getvalue()


def jxl_of_jpeg() -> bytes:
    """A JPEG that was transcoded without loss."""
    return bytes(imagecodecs.jpegxl_encode_jpeg(saved(scene(), "JPEG", quality=95)))


def jxl_with_profile() -> bytes:
    """A JPEG XL of a JPEG with a profile, which it keeps."""
    return bytes(
        imagecodecs.jpegxl_encode_jpeg(saved(scene(), "JPEG", quality=98, subsampling=0, icc_profile=wide_profile()))
    )


def jp2_with_profile() -> bytes:
    """A JP2 whose box `colr` holds a profile and not the number of a colour space."""
    data = encoded("jpeg2k", scene(), level=0, reversible=True)
    header, at = data.index(b"jp2h") - 4, data.index(b"colr") - 4
    old = struct.unpack_from(">I", data, at)[0]
    box = b"colr" + bytes([2, 0, 0]) + wide_profile()
    box = struct.pack(">I", len(box) + 4) + box
    size = struct.pack(">I", struct.unpack_from(">I", data, header)[0] + len(box) - old)
    return data[:header] + size + data[header + 4 : at] + box + data[at + old :]
