"""Which files belong to a photo: Live Photo videos, sidecars, voice memos, and the raw file of a JPEG. Pure."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

ENDINGS = frozenset({"mov", "mp4", "xmp", "aae", "thm", "json", "pp3", "dop", "wav"})
"""Endings of companions: Live Photo video, sidecars of Adobe, Apple, Canon, Google, RawTherapee and DxO, voice memo."""
RAW_ENDINGS = frozenset({"cr2", "cr3", "nef", "arw", "dng", "raf", "orf", "rw2"})
"""A raw file is the companion of a JPEG or HEIC of its name, else a photo."""
DEVELOPED_ENDINGS = frozenset({"jpg", "jpeg", "jpe", "heic", "heif", "hif"})
"""Endings of the photos that raw files are companions of."""

_WHOLE_NAME_SUFFIXES = (b".xmp", b".pp3", b".dop", b".json", b".supplemental-metadata.json")

_TAKEOUT = ".supplemental-metadata"
_TAKEOUT_CHARACTERS = 46
"""Google Takeout cuts the names of its JSON files at this length, the ending not counted."""
_APPLE_EDIT = re.compile(r"^(img_)[eo](?=\d)", re.IGNORECASE)
"""IMG_E1234 is the edited IMG_1234, IMG_O1234 the edits of another program; one AAE file has the edits of both."""
_NUMBER = re.compile(r"\(\d+\)$")


class Range(NamedTuple):
    """Names from `low` (included) to `high` (excluded), in the order of their bytes."""

    low: bytes
    high: bytes


class CompanionRules:
    """The rules of one inbox."""

    def __init__(self, further: Iterable[str] = (), *, ignore_case: bool = False) -> None:
        """Adds endings to ENDINGS.

        Args:
            further: Endings, with or without a dot.
            ignore_case: Whether names that differ in capitals are the same, as the inbox's filesystem has it. The
                case of an ending never counts.
        """
        self._endings = ENDINGS | {ending.lower().lstrip(".") for ending in further}
        self._ignore_case = ignore_case

    def is_companion(self, name: bytes) -> bool:
        """Whether a file of this name is never a photo of its own."""
        return _split(_text(name))[1].lower() in self._endings

    def may_be_companion(self, name: bytes) -> bool:
        """Whether a file of this name belongs to a photo if there is one."""
        return self.is_companion(name) or self._is_raw(name)

    def belongs(self, name: bytes, photo: bytes) -> bool:
        """Whether a file `name` is a companion of a photo in the same folder."""
        keys = set(self._keys(name))
        return name != photo and not self.is_companion(photo) and not keys.isdisjoint(self.photo_keys(photo))

    def photo_of(self, name: bytes, photos: "PhotoNames") -> bytes | None:
        """Returns the photo in a folder that a file belongs to, None if there is none."""
        for key in self._keys(name):
            photo = photos.get(key)
            if photo is not None and photo != name:
                return photo
        return None

    def index(self, names: Iterable[bytes]) -> "PhotoNames":
        """Returns the photos among the names of a folder, for `photo_of`."""
        found: PhotoNames = {}
        for name in names:
            if not self.is_companion(name):
                for key in self.photo_keys(name):
                    known = found.get(key)
                    # A JPEG comes before the raw file of its name, so that both have the same companions.
                    if known is None or self._is_raw(known):
                        found[key] = name
        return found

    def photo_keys(self, photo: bytes) -> Iterator[str]:
        """Yields the keys under which companions look for a photo."""
        text = self._normal(photo)
        stem, ending = _split(text)
        yield text
        yield f"{stem}."
        yield "aae " + _APPLE_EDIT.sub(r"\1", stem)
        if ending.lower() in DEVELOPED_ENDINGS:
            yield f"raw {stem}"
        number = match[0] if (match := _NUMBER.search(stem)) else ""
        title = f"{stem.removesuffix(number)}.{ending}"
        yield f"json {title[:_TAKEOUT_CHARACTERS]}{number}"
        yield f"json {(title + _TAKEOUT)[:_TAKEOUT_CHARACTERS]}{number}"

    def ranges(self, name: bytes) -> Iterator[Range]:
        """Yields ranges of names that have all photos which a companion may belong to, and some others."""
        text = _text(name)
        base, ending = _split(text)
        starts = {base, _split(base)[0]} if _split(base)[1].lower() in RAW_ENDINGS else {base}
        if ending.lower() == "aae":
            bare = _APPLE_EDIT.sub(r"\1", base)
            starts |= {bare, re.sub(r"^(img_)(?=\d)", r"\1E", bare, flags=re.IGNORECASE)}
        if ending.lower() == "json":
            starts |= set(_takeout_stems(base))
        for start in starts:
            for form in self._forms(start):
                low = os.fsencode(form)
                yield Range(low, low + b"/")  # the name itself, and all that go on with a dot
        if ending.lower() == "json" and len(base) == _TAKEOUT_CHARACTERS:
            yield Range(os.fsencode(base), os.fsencode(base) + b"\xff")

    def _keys(self, name: bytes) -> Iterator[str]:
        """Yields the keys of the photos that a companion may belong to, the most likely first."""
        base, ending = _split(self._normal(name))
        if not ending or not base:
            return
        ending = ending.lower()
        if ending in RAW_ENDINGS:
            yield f"raw {base}"
        if ending not in self._endings:
            return
        yield base
        yield f"{base}."
        if ending == "aae":
            yield "aae " + _APPLE_EDIT.sub(r"\1", base)
        if ending == "json":
            yield f"json {base}"
        if _split(base)[1].lower() in RAW_ENDINGS:
            yield f"raw {_split(base)[0]}"

    def _is_raw(self, name: bytes) -> bool:
        return _split(_text(name))[1].lower() in RAW_ENDINGS

    def _normal(self, name: bytes) -> str:
        text = unicodedata.normalize("NFC", _text(name))
        return text.casefold() if self._ignore_case else text

    def _forms(self, text: str) -> set[str]:
        """The ways in which a filesystem may write a name."""
        cases = {text, text.lower(), text.upper()} if self._ignore_case else {text}
        return {unicodedata.normalize(form, case) for case in cases for form in ("NFC", "NFD")} | {text}


PhotoNames = dict[str, bytes]
"""The photos of a folder by the keys of their companions."""


def possible_companions(photo: bytes) -> list[bytes]:
    """Returns the names that companions of a photo usually have."""
    stem, _, ending = photo.rpartition(b".")
    endings = ENDINGS | (RAW_ENDINGS if os.fsdecode(ending).lower() in DEVELOPED_ENDINGS else set())
    by_stem = [stem + b"." + form.encode() for name in endings for form in (name, name.upper())]
    return [name for name in by_stem if stem and name != photo] + [photo + suffix for suffix in _WHOLE_NAME_SUFFIXES]


def placed_name(companion: bytes, photo: bytes, placed: bytes) -> bytes:
    """Returns the name of a companion beside its photo, which was given another name.

    Args:
        companion: Name of the companion.
        photo: Name of the photo beside it.
        placed: The photo's new name.

    >>> placed_name(b"IMG_1.MOV", b"IMG_1.HEIC", b"IMG_1 (2).HEIC")
    b'IMG_1 (2).MOV'
    >>> placed_name(b"IMG_1.HEIC.xmp", b"IMG_1.HEIC", b"IMG_1 (2).HEIC")
    b'IMG_1 (2).HEIC.xmp'
    """
    if photo == placed:
        return companion
    if companion.startswith(photo + b"."):
        return placed + companion[len(photo) :]
    stem, placed_stem = (name.rpartition(b".")[0] or name for name in (photo, placed))
    if companion.startswith(stem + b"."):
        return placed_stem + companion[len(stem) :]
    if placed_stem.startswith(stem):
        own_stem, dot, ending = companion.rpartition(b".")
        return own_stem + placed_stem[len(stem) :] + dot + ending
    return companion


def _takeout_stems(base: str) -> Iterator[str]:
    """Yields the stems that the photo of a Google Takeout file may have."""
    number = match[0] if (match := _NUMBER.search(base)) else ""
    title = base.removesuffix(number)
    for length in range(len(title) + 1):
        if _TAKEOUT.startswith(title[length:]):
            yield _split(title[:length])[0] + number


def _split(name: str) -> tuple[str, str]:
    """Splits a name at its last dot."""
    stem, dot, ending = name.rpartition(".")
    return (stem, ending) if dot else (name, "")


def _text(name: bytes) -> str:
    return os.fsdecode(name)
