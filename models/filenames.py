"""Names of files: bytes on disk, text for people."""

import codecs
import os
import re
import unicodedata

_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_HIDDEN = {"Cc", "Cs", "Zl", "Zp"}  # control characters, bytes that are not UTF-8, line and paragraph separators


def shown(name: bytes | str) -> str:
    r"""A name or path as text that is safe on a terminal and in a table; `raw` gives the bytes back.

    Control characters, marks that turn the direction of writing, backslashes and bytes that are not UTF-8 become \xNN.

    >>> shown(b"a\nb\xff\\")
    'a\\x0ab\\xff\\x5c'
    """
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    return "".join(_escaped(char) if _is_hidden(char) else char for char in text)


def visible(text: str) -> str:
    """What a person typed of a name as `shown` gives it, where it is not that already: backslashes stay."""
    return "".join(_escaped(char) if _is_hidden(char) and char != "\\" else char for char in text)


def raw(text: str) -> bytes:
    r"""The bytes of a name or path as `shown` prints it, or as a person types it."""
    parts = re.split(r"\\x([0-9a-fA-F]{2})", text)
    return b"".join(
        bytes.fromhex(part) if odd else part.encode("utf-8", "surrogateescape")
        for part, odd in zip(parts, [False, True] * len(parts), strict=False)
    )


def _unprintable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escaped, error.object[error.start : error.end])), error.end


BYTES = "foodsort.bytes"
"""How streams write what their encoding lacks: as bytes of UTF-8 that `raw` reads, where Python's \\xNN are code points."""
codecs.register_error(BYTES, _unprintable)


def _is_hidden(char: str) -> bool:
    return char == "\\" or char in _BIDI or unicodedata.category(char) in _HIDDEN


def _escaped(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
