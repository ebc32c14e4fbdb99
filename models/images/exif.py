"""EXIF data of a photo: time, camera and orientation."""

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from PIL import Image

CAMERA_CHARS = 100
"""Longest camera name; longer ones are cut."""

# Tags and the formats of their values: Exif 2.32 (CIPA DC-008), § 4.6.
_MAKE = 0x010F
_MODEL = 0x0110
_ORIENTATION = 0x0112
_DATE_TIME = 0x0132
_EXIF_IFD = 0x8769
_DATE_TIME_ORIGINAL = 0x9003
_OFFSET_TIME = 0x9010
_OFFSET_TIME_ORIGINAL = 0x9011
# Some programs use other separators than the colons and the space of the standard.
_TIME = re.compile(r"(\d{4})[:./-](\d\d)[:./-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_UTC_OFFSET = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d", re.ASCII)


class Exif(NamedTuple):
    """The EXIF data that foodsort uses; None where a value is missing or malformed.

    Attributes:
        taken_at: Local time of the camera, such as 2026-07-01T18:30:00.
        taken_offset: UTC offset of that time, such as +02:00.
        camera: Make and model, at most CAMERA_CHARS characters of any kind.
        orientation: TIFF 6.0 tag 274, 1 to 8.
    """

    taken_at: str | None = None
    taken_offset: str | None = None
    camera: str | None = None
    orientation: int = 1


def read(load: Callable[[], Image.Exif]) -> Exif:
    """Reads the EXIF data that `load` parses; a damaged EXIF block counts as missing and is no error of the image."""
    try:
        tags = load()
        orientation = tags.get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  # Pillow raises many kinds of errors on damaged data
        return Exif()
    if orientation not in range(1, 9):
        orientation = 1
    try:
        exif = tags.get_ifd(_EXIF_IFD)
    except Exception:  # noqa: BLE001
        exif = {}
    # The time of the last change counts only without a time of taking, since programs change it.
    taken_at = _parse_time(exif.get(_DATE_TIME_ORIGINAL))
    offset = _parse_offset(exif.get(_OFFSET_TIME_ORIGINAL))
    if taken_at is None:
        taken_at = _parse_time(tags.get(_DATE_TIME))
        offset = _parse_offset(exif.get(_OFFSET_TIME))
    return Exif(
        taken_at=taken_at,
        taken_offset=offset if taken_at else None,
        camera=_camera_name(_text(tags.get(_MAKE)), _text(tags.get(_MODEL))),
        orientation=orientation,
    )


def validate(taken_at: Any, taken_offset: Any, camera: Any) -> Exif:
    """Validates EXIF data from another process: they must have the format of `read`.

    Raises:
        ValueError: A value is malformed.
    """
    valid = (
        (taken_at is None or _parse_time(taken_at) == taken_at)
        and (taken_offset is None or _parse_offset(taken_offset) == taken_offset)
        and (camera is None or (isinstance(camera, str) and 0 < len(camera) <= CAMERA_CHARS and "\0" not in camera))
    )
    if not valid:
        raise ValueError((taken_at, taken_offset, camera))
    # JSON can hold half of a surrogate pair, which no database accepts.
    return Exif(taken_at, taken_offset, camera and camera.encode("utf-8", "replace").decode())


def _parse_time(value: Any) -> str | None:
    match = _TIME.fullmatch(_text(value))
    if not match:
        return None
    try:
        return datetime(*map(int, match.groups())).isoformat()  # type: ignore[arg-type]  # noqa: DTZ001  # local time
    except ValueError:  # such as 0000:00:00, from a camera whose clock was never set
        return None


def _parse_offset(value: Any) -> str | None:
    text = _text(value)
    return text if _UTC_OFFSET.fullmatch(text) else None


def _text(value: Any) -> str:
    """Returns the text of a tag up to its end, with single spaces between words; empty when the tag is no text."""
    text = value if isinstance(value, str) else ""
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode()  # Pillow decodes as Latin-1, but many programs write UTF-8
    return " ".join(text.partition("\0")[0].split())


def _camera_name(make: str, model: str) -> str | None:
    """Joins make and model; the model may contain the make, such as `NIKON D750` by NIKON CORPORATION."""
    has_make = make and model.lower().startswith(make.split()[0].lower())
    return (model if has_make else f"{make} {model}").strip()[:CAMERA_CHARS].strip() or None
