"""What a camera wrote into a photo: when it was taken, and with which camera."""

import re
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from PIL import Image

CAMERA_CHARS = 100
"""Longest name of a camera that is kept."""

# Numbers of tags and the forms of their values: Exif 2.32 (CIPA DC-008), § 4.6.
_MAKE, _MODEL, _ORIENTATION, _CHANGED, _EXIF = 0x010F, 0x0110, 0x0112, 0x0132, 0x8769
_TAKEN, _OFFSET, _TAKEN_OFFSET = 0x9003, 0x9010, 0x9011
# Some programs write other marks between the numbers than the colons and the space of the standard.
_TIME = re.compile(r"(\d{4})[:./-](\d\d)[:./-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_ZONE = re.compile(r"[+-](0\d|1[0-4]):[0-5]\d", re.ASCII)


class Exif(NamedTuple):
    """What a photo says of itself; None where it says nothing that can be understood.

    taken_at: by the camera's own clock, such as 2026-07-01T18:30:00, which knows no zone.
    taken_offset: how far that clock was from UTC, such as +02:00.
    camera: maker and model, at most CAMERA_CHARS characters of any kind.
    orientation: TIFF 6.0 tag 274, 1 to 8.
    """

    taken_at: str | None = None
    taken_offset: str | None = None
    camera: str | None = None
    orientation: int = 1


def read(image: Image.Image) -> Exif:
    """The EXIF block of an opened picture. A damaged one says nothing, and never of whether the picture is sound."""
    try:
        tags = image.getexif()
        orientation = tags.get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  # Pillow raises whatever it stumbles over
        return Exif()
    if orientation not in range(1, 9):
        orientation = 1
    try:
        inner = tags.get_ifd(_EXIF)
    except Exception:  # noqa: BLE001
        inner = {}
    # The time of the last change is that of the picture only where nothing else is said; programs set it anew.
    taken_at, offset = (
        (time, _zone(inner.get(_TAKEN_OFFSET)))
        if (time := _time(inner.get(_TAKEN)))
        else (_time(tags.get(_CHANGED)), _zone(inner.get(_OFFSET)))
    )
    camera = _camera(_words(tags.get(_MAKE)), _words(tags.get(_MODEL)))
    return Exif(taken_at, offset if taken_at else None, camera, orientation)


def checked(taken_at: Any, taken_offset: Any, camera: Any) -> Exif:
    """The facts as another process gave them, if they have the form that `read` gives them. Raises ValueError."""
    sound = (
        (taken_at is None or _time(taken_at) == taken_at)
        and (taken_offset is None or _zone(taken_offset) == taken_offset)
        and (camera is None or (isinstance(camera, str) and 0 < len(camera) <= CAMERA_CHARS))
    )
    if not sound:
        raise ValueError((taken_at, taken_offset, camera))
    # Half of a character that UTF-16 writes as two can come in JSON, and go into no database.
    return Exif(taken_at, taken_offset, camera and camera.encode("utf-8", "replace").decode())


def _time(value: Any) -> str | None:
    found = _TIME.fullmatch(_words(value))
    if not found:
        return None
    try:
        return datetime(*map(int, found.groups())).isoformat()  # type: ignore[arg-type]  # noqa: DTZ001  # it has no zone
    except ValueError:  # such as 0000:00:00, which cameras write whose clock was never set
        return None


def _zone(value: Any) -> str | None:
    words = _words(value)
    return words if _ZONE.fullmatch(words) else None


def _words(value: Any) -> str:
    """A text of a tag, up to its end, with one space between words; empty when it is none."""
    text = value if isinstance(value, str) else ""
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode()  # Pillow takes for Latin-1 what many write as UTF-8
    return " ".join(text.partition("\0")[0].split())


def _camera(make: str, model: str) -> str | None:
    """Maker and model, the maker once: models are named `Canon EOS 80D` by Canon, and by NIKON CORPORATION `NIKON D750`."""
    named = make and model.lower().startswith(make.split()[0].lower())
    return (model if named else f"{make} {model}").strip()[:CAMERA_CHARS].strip() or None
