"""Bytes of a photo to pixels. The only decode path: training, evaluation and the daemon all call `decode`."""

import io
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError
from pillow_heif import register_heif_opener

from models.errors import ImageError, ImageErrorKind

register_heif_opener()
# All plug-ins now, while they are surely there: Pillow would look for them at the first photo, years before the last.
Image.init()
# `decode` applies its own limit, from the settings; Pillow's would warn at half of it and could not be raised by one.
Image.MAX_IMAGE_PIXELS = None
# Half a picture is an error here, never grey rows (this is Pillow's default; other packages in the process change it).
ImageFile.LOAD_TRUNCATED_IMAGES = False

Pixels = npt.NDArray[np.uint8]

DEFAULT_MAX_PIXELS = 178_956_970
"""Pillow's limit against decompression bombs: a quarter of a GiB at 24 bits a pixel, doubled where Pillow raises."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "HEIF", "AVIF")
"""Pillow's names of the formats that are tried. Others stay closed: each decoder is C code fed by strangers."""

_MAGIC = (
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"II+\0"),
    (0, b"MM\0+"),
    (8, b"WEBP"),
)
_HEIF_BRANDS = {b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_HEAD_BYTES = 64 * 1024


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


class Picture(NamedTuple):
    """A decoded photo: pixels uint8 RGB (side, side, 3), Pillow's name of its format, its size in the file (pixels)."""

    pixels: Pixels
    format: str
    width: int
    height: int


def decode(source: bytes | BinaryIO, fit: Fit, max_pixels: int = DEFAULT_MAX_PIXELS) -> Picture:
    """Decodes the first frame of `source` (bytes, or a binary file open at its start) to uint8 RGB (side, side, 3).

    The format is told from the bytes. EXIF orientation is applied, transparency lies over white, colour profiles
    are converted to sRGB. Raises ImageError for anything but a whole picture of at most `max_pixels`.
    """
    stream: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source
    with _as_image_errors(stream), Image.open(stream, formats=FORMATS) as image:
        width, height = image.size
        if width * height > max_pixels:
            raise ImageError(
                ImageErrorKind.TOO_LARGE,
                f"{width} × {height} pixels are more than the limit of {max_pixels}; raise images.max_pixels to allow it",
            )
        picture_format = image.format or "unknown"
        image.draft(None, (fit.draft * fit.side, fit.draft * fit.side))
        image.load()
        orientation = _orientation(image)  # after load(): some plug-ins turn the picture themselves and drop the tag
        upright = _turned(_to_rgb(_resized(_eight_bits(image), fit)), orientation)
    return Picture(np.asarray(upright, dtype=np.uint8), picture_format, width, height)


@contextmanager
def _as_image_errors(stream: BinaryIO) -> Iterator[None]:
    """Turns what Pillow and its plug-ins raise on bad data into ImageError; lets errors of the disk through."""
    try:
        yield
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise _unidentified(stream) from error
    except Image.DecompressionBombError as error:
        raise ImageError(ImageErrorKind.TOO_LARGE, str(error)) from error
    except OSError as error:
        if error.errno is not None:  # the disk, not the picture
            raise
        raise _broken(stream, error) from error
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # plug-ins raise SyntaxError, struct.error, ValueError, … on data made to be bad
        raise _broken(stream, error) from error


def _broken(stream: BinaryIO, error: Exception) -> ImageError:
    text = f"{type(error).__name__}: {error}"
    signs = ("truncated", "unexpected end", "end of file", "eof")
    if isinstance(error, EOFError) or any(sign in text.lower() for sign in signs) or _is_cut_off(stream):
        return ImageError(ImageErrorKind.TRUNCATED, f"the picture ends too early ({text}); copy it again")
    return ImageError(ImageErrorKind.CORRUPT, f"the picture's data are damaged ({text})")


def _unidentified(stream: BinaryIO) -> ImageError:
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if not head:
        return ImageError(ImageErrorKind.EMPTY, "the file has no bytes; copy it again")
    pixels = _heif_pixels(head)
    if pixels > DEFAULT_MAX_PIXELS:
        # libavif refuses such sizes before any limit of ours is asked.
        return ImageError(ImageErrorKind.TOO_LARGE, f"{pixels} pixels are more than the decoder takes")
    known = any(head[offset:].startswith(magic) for offset, magic in _MAGIC) or _is_heif(head)
    if known or _is_bmp(head):
        if _is_cut_off(stream):
            return ImageError(ImageErrorKind.TRUNCATED, "the picture ends in its header; copy it again")
        return ImageError(ImageErrorKind.CORRUPT, "the picture's header is damaged")
    return ImageError(
        ImageErrorKind.NOT_AN_IMAGE, "not a picture in a format that foodsort reads (" + ", ".join(FORMATS) + ")"
    )


def _is_heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS


def _is_bmp(head: bytes) -> bool:
    # Two letters are too little to go by, so the size of the header that follows must be a known one.
    return (
        head[:2] == b"BM"
        and len(head) >= 18
        and struct.unpack_from("<I", head, 14)[0] in {12, 40, 52, 56, 64, 108, 124}
    )


def _heif_pixels(head: bytes) -> int:
    """Pixels of the largest `ispe` (image spatial extents, ISO/IEC 23008-12 § 6.5.3) in a HEIF or AVIF header, else 0."""
    largest, at = 0, head.find(b"ispe") if _is_heif(head) else -1
    while at >= 0 and at + 16 <= len(head):
        width, height = struct.unpack_from(">II", head, at + 8)
        largest, at = max(largest, width * height), head.find(b"ispe", at + 4)
    return largest


def _is_cut_off(stream: BinaryIO) -> bool:
    """Whether a container that states its length (RIFF, ISO base media) states more bytes than there are."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(12)
    if head[:4] == b"RIFF" and len(head) >= 8:
        return bool(struct.unpack_from("<I", head, 4)[0] + 8 > size)
    if head[4:8] != b"ftyp":
        return False
    at = 0
    while at + 8 <= size:
        stream.seek(at)
        length = struct.unpack(">I", stream.read(4))[0]
        if length < 8:  # 0: to the end; 1: a 64-bit length, which no picture needs
            return False
        at += length
    return at > size


def _orientation(image: Image.Image) -> int:
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # noqa: BLE001  # a damaged EXIF block says nothing of the picture
        return 1
    return value if value in range(1, 9) else 1


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    """Undoes an EXIF orientation (TIFF 6.0 tag 274, 1 to 8)."""
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


def _eight_bits(image: Image.Image) -> Image.Image:
    """Any mode to one that can be resized: 8 bits a channel, no palette."""
    if image.mode.startswith("I"):  # Pillow's own conversion cuts 16 bits off at 255 instead of scaling
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
    if image.mode in {"L", "RGB"} and "transparency" in image.info:  # one colour named transparent
        return image.convert("RGBA")
    return image


def _resized(image: Image.Image, fit: Fit) -> Image.Image:
    size = (fit.side, fit.side)
    if fit.mode == "crop":
        return ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Colours to sRGB by the picture's own profile, then anything that is left to RGB over white."""
    profile = image.info.get("icc_profile")
    if profile and image.mode in {"RGB", "CMYK", "LAB"}:
        transform = _to_srgb(bytes(profile), image.mode)
        if transform is not None:
            return transform.apply(image)
    if image.mode in {"RGBA", "LA", "La", "RGBa"}:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


@lru_cache(maxsize=64)  # building one takes longer than applying it, and one phone writes one profile
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        source = ImageCms.getOpenProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, _srgb(), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged or foreign profile: the plain colours are better
        return None


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
