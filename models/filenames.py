"""File names: bytes on disk, escaped text for people."""

import codecs
import os
import re
import unicodedata

_BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_CONTROL_CATEGORIES = {
    "Cc",
    "Cs",
    "Zl",
    "Zp",
}  # control characters, bytes that are not UTF-8, line and paragraph separators


def escape_name(name: bytes | str) -> str:
    r"""Escapes a file name or path so that it is safe on a terminal and in a table.

    Control characters, marks that change the direction of writing, backslashes and bytes that are not UTF-8 become
    \xNN. `unescape_name` is the inverse.

    >>> escape_name(b"a\nb\xff\\")
    'a\\x0ab\\xff\\x5c'
    """
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    if text.isprintable() and "\\" not in text:  # nearly all names
        return text
    return "".join(_escape(char) if _needs_escape(char) else char for char in text)


def escape_control_characters(text: str) -> str:
    """Escapes a name that a person typed, escaped already or not: like `escape_name`, but backslashes stay."""
    return "".join(_escape(char) if _needs_escape(char) and char != "\\" else char for char in text)


def unescape_name(text: str) -> bytes:
    r"""Returns the bytes of a name or path that `escape_name` printed or a person typed."""
    parts = re.split(r"\\x([0-9a-fA-F]{2})", text)
    return b"".join(
        bytes.fromhex(part) if is_escape else part.encode("utf-8", "surrogateescape")
        for part, is_escape in zip(parts, [False, True] * len(parts), strict=False)
    )


def _escape_unencodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_escape, error.object[error.start : error.end])), error.end


ESCAPE_ERRORS = "foodsort.bytes"
"""Codec error handler for streams: characters that the encoding lacks become escaped UTF-8 bytes, for `unescape_name`.

Python's own `backslashreplace` writes code points instead.
"""
codecs.register_error(ESCAPE_ERRORS, _escape_unencodable)


def _needs_escape(char: str) -> bool:
    return char == "\\" or char in _BIDI or unicodedata.category(char) in _CONTROL_CATEGORIES


def _escape(char: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))
