"""TIFFs of each depth × layout × colour, and of other codecs and colours."""

import io
import itertools
import struct
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from tests.models.images.references import Variant, by_tifffile, by_vips, known
from tests.models.images.scenes import (
    COLOURS,
    DEPTHS,
    HEIGHT,
    WIDTH,
    Array,
    alpha,
    grey,
    grey_profile,
    lab,
    saved,
    scene,
    turned,
    twelve,
    wide_profile,
)

LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"rowsperstrip": 7},
    "planes": {"planarconfig": "separate"},
    "planes in strips": {"planarconfig": "separate", "rowsperstrip": 7},
    "tiles": {"tile": (32, 48)},
    "planes in tiles": {"planarconfig": "separate", "tile": (32, 48)},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "LZW": {"compression": "lzw"},
    "Deflate, predicted": {"compression": "adobe_deflate", "predictor": True, "rowsperstrip": 16},
    "Zstandard": {"compression": "zstd"},
    "LZMA in planes": {"compression": "lzma", "planarconfig": "separate"},
    "PackBits": {"compression": "packbits"},
}


LOSSLESS: dict[str, dict[str, Any]] = {"jpegxl": {"lossless": True}, "jpegxr": {"level": 1.0}}
_UNKNOWN_TO_VIPS = {"planes in tiles", "Zstandard", "LZMA in planes"}


def plain_tiffs() -> Iterator[Variant]:
    """Each depth × layout × colour that exists."""
    for colour, depth, layout in itertools.product(COLOURS, DEPTHS, LAYOUTS):
        in_planes = "planarconfig" in LAYOUTS[layout]
        if (in_planes and colour in {"grey", "WhiteIsZero", "LA"}) or (colour == "CMYK" and depth.startswith("float")):
            continue
        is_known_to_vips = depth in {"uint8", "uint16"} and colour != "CMYK" and layout not in _UNKNOWN_TO_VIPS
        make = partial(_plain_tiff, colour, depth, layout)
        yield Variant("TIFF", f"{depth} {colour}, {layout}", make, by_vips if is_known_to_vips else by_tifffile)


def _plain_tiff(colour: str, depth: str, layout: str) -> bytes:
    levels, how = COLOURS[colour]
    samples = DEPTHS[depth](levels())
    options = ({} if samples.ndim == 2 else {"planarconfig": "contig"}) | how | LAYOUTS[layout]
    if options.get("planarconfig") == "separate":
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0))
    return tiff(samples, **options)


def odd_tiffs() -> Iterator[Variant]:
    """Other depths, colours and codecs."""
    variant = partial(Variant, "TIFF")
    icclab = lab() ^ np.array([0, 1 << 15, 1 << 15], np.uint16)
    jpeg = {"photometric": "ycbcr", "compression": "jpeg", "compressionargs": {"level": 95}}
    yield variant(
        "12-bit grey", partial(tiff, twelve(grey()), photometric="minisblack", bitspersample=12), known(grey())
    )
    yield variant("12-bit RGB", partial(tiff, twelve(scene()), photometric="rgb", bitspersample=12), known(scene()))
    yield variant("bilevel", partial(tiff, grey() > 99, photometric="minisblack"), known((grey() > 99) * 255))
    fax = partial(saved, Image.fromarray(grey() > 99), "TIFF", compression="group4")
    yield variant("CCITT G4", fax, known((grey() > 99) * 255))
    yield variant("8-bit palette", partial(palette, np.uint8), by_tifffile)
    yield variant("16-bit palette", partial(palette, np.uint16), by_tifffile)
    yield variant("16-bit L*a*b*", partial(tiff, lab(), photometric="cielab"), by_tifffile)
    yield variant("8-bit L*a*b*", partial(tiff, (lab() >> 8).astype(np.uint8), photometric="cielab"), by_tifffile)
    yield variant(
        "ICC L*a*b*",
        partial(tiff, icclab, photometric="icclab"),
        known(scene()),
    )
    yield variant("YCbCr", partial(ycbcr_tiff, 1), known(scene()))
    yield variant("subsampled YCbCr", partial(ycbcr_tiff, 2), by_vips)
    for subsampling in ((1, 1), (2, 1), (2, 2)):
        yield variant(f"JPEG {subsampling}", partial(tiff, scene(), subsampling=subsampling, **jpeg), by_vips)
    yield variant("12-bit JPEG", twelve_bit_jpeg_tiff, known(grey()))
    for depth, codec in itertools.product(("uint8", "uint16"), ("jpeg2000", "jpegxl", "png", "lerc", "jpegxr")):
        samples = DEPTHS[depth](scene())
        how = {"photometric": "rgb", "compression": codec, "compressionargs": LOSSLESS.get(codec)}
        yield variant(f"{codec} {depth}", partial(tiff, samples, **how), known(scene()))
    for depth in ("uint8", "uint16"):
        for colour, extra in (("WhiteIsZero", 1), ("grey", 2), ("RGB", 2), ("CMYK", 1)):
            make_levels, how = COLOURS[colour]
            ignored = np.broadcast_to(alpha()[..., None], (HEIGHT, WIDTH, extra))
            samples = DEPTHS[depth](np.dstack([make_levels(), ignored]))
            make = partial(tiff, samples, planarconfig="contig", extrasamples=["unspecified"] * extra, **how)
            expected = grey() if colour in {"WhiteIsZero", "grey"} else scene()
            yield variant(f"{depth} {colour} with {extra} further channels", make, known(expected))
    yield variant("WebP", partial(tiff, scene(), photometric="rgb", compression="webp"), by_tifffile)
    floats = grey().astype(np.float32)
    highlights = np.where(floats > 253, 60, floats / 255).astype(np.float32)
    yield variant(
        "float to 1.2", partial(tiff, floats / 255 * np.float32(1.2), photometric="minisblack"), known(grey())
    )
    yield variant("float to 255", partial(tiff, scene().astype(np.float32), photometric="rgb"), known(scene()))
    yield variant("float with highlights", partial(tiff, highlights, photometric="minisblack"), known(grey()))
    for depth in ("uint8", "uint16"):
        for levels, photometric, profile in ((scene(), "rgb", wide_profile()), (grey(), "minisblack", grey_profile())):
            make = partial(tiff, DEPTHS[depth](levels), photometric=photometric, iccprofile=profile)
            yield variant(f"{depth} {photometric} with a profile", make, by_vips)
    for code in range(1, 9):
        planes = np.moveaxis(turned(DEPTHS["uint16"](scene()), code), -1, 0)
        oriented = partial(tiff, planes, photometric="rgb", planarconfig="separate")
        yield variant(f"orientation {code}", partial(oriented, extratags=[(274, "H", 1, code, True)]), known(scene()))


def twelve_bit_jpeg_tiff() -> bytes:
    how = {"compression": "jpeg", "compressionargs": {"level": 98, "bitspersample": 12}, "bitspersample": 12}
    return tiff(twelve(grey()), photometric="minisblack", **how)


def palette(dtype: type[np.integer[Any]]) -> bytes:
    """The grey scene in 32 false colours."""
    colours = np.zeros((3, 1 << 8 * dtype().itemsize), np.uint16)
    colours[:, :32] = np.linspace(0, 65535, 32), np.linspace(65535, 0, 32), np.full(32, 30000)
    return tiff((grey() >> 3).astype(dtype), photometric="palette", colormap=colours)


def tiff(samples: Array, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **options)
    return file.getvalue()


def ycbcr_tiff(sampling: int) -> bytes:
    """Uncompressed YCbCr, with one pair of colours for `sampling` × `sampling` pixels (TIFF 6.0, section 21)."""
    levels = np.asarray(Image.fromarray(scene()).convert("YCbCr")).astype(float)
    blocks = levels.reshape(HEIGHT // sampling, sampling, WIDTH // sampling, sampling, 3).swapaxes(1, 2)
    light = blocks[..., 0].reshape(*blocks.shape[:2], -1)
    data = np.concatenate([light, blocks[..., 1:].mean((2, 3))], axis=-1).astype(np.uint8).tobytes()
    tags = {256: WIDTH, 257: HEIGHT, 258: 8, 259: 1, 262: 6, 273: 0, 277: 3, 278: HEIGHT, 279: len(data)}
    tags |= {284: 1, 530: sampling | sampling << 16}
    tags[273] = end = 8 + 2 + 12 * len(tags) + 4
    entries = (struct.pack("<HHII", tag, 4 if tag in {273, 279} else 3, 1 + (tag == 530), tags[tag]) for tag in tags)
    head = struct.pack("<4sIH", b"II*", 8, len(tags)) + b"".join(entries) + bytes(4)
    assert len(head) == end
    return bytes(head + data)
