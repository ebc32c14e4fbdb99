r"""Patterns for names and paths, as shells have them: * any characters, ? one of them, [a-f] one of these, [!a-f] any other.

They are held against names as `models.filenames.escape_name` gives them, where a hidden character is four such as `\x0a`, none of which
brackets can be one of. In a pattern `\xNN` is a byte of a name and never a sign, so `\x2a` is a star itself.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from models.filenames import escape_name, unescape_name

_ESCAPES: Final = r"(?:\\x[0-9a-fA-F]{2})+"
_SIGN: Final = re.compile(rf"\*+|\?|\[[!^]?+\]?+[^\]]*+\]|{_ESCAPES}|.", re.DOTALL)
_ANY_FOLDERS: Final = "\0"  # in no path
_NEVER: Final = "(?!.)."  # in the regular expressions of Python and PostgreSQL


def is_glob(text: str) -> bool:
    """Whether a text has a sign that stands for others."""
    return not {"*", "?", "["}.isdisjoint(text)


def prefix(glob: str) -> str:
    """What all names begin with that match."""
    literal = ""
    for sign in _signs(glob):
        if _is_special(sign):
            break
        literal += _literal(sign)
    return literal


def is_beginning(glob: str) -> bool:
    """Whether it is a beginning and a star, which databases find faster than others."""
    *signs, last = _signs(glob) or [""]
    return last.startswith("*") and not any(map(_is_special, signs))


def matches(column: "sa.ColumnElement[Any]", glob: str, dialect: str) -> "sa.ColumnElement[bool]":
    """The condition that a column matches, capitals and small letters told apart. dialect: SQLAlchemy's name for the database."""
    if dialect == "postgresql":
        return column.regexp_match(f"^(?:{_regex(glob)})$")
    # Not the bare column: SQLite would take the index on it, and sort, where walking from the newest row ends soon.
    return column.concat("").op("GLOB", is_comparison=True)("".join(map(_of_sqlite, _signs(glob))))


def coarse(glob: str) -> str:
    """The pattern for a database that finds every path that `paths` finds, and others."""
    return glob.replace("**/", "*")


def paths(glob: str) -> Callable[[str], bool]:
    """Tells whether a path, or a folder above it, matches: a star ends at a slash, two stars don't."""
    found = re.compile(f"{_regex(glob.replace('**/', _ANY_FOLDERS), one='[^/]')}(?:/.*)?", re.DOTALL)
    return lambda path: found.fullmatch(path) is not None


def _regex(glob: str, one: str = ".") -> str:
    """The regular expression that matches all of a text. one: that for any single character."""
    return "".join(_as_regex(sign, one) for sign in _signs(glob))


def _signs(glob: str) -> list[str]:
    return [sign.group() for sign in _SIGN.finditer(glob)]


def _is_special(sign: str) -> bool:
    return sign[0] in "*?" or (sign[0] == "[" and len(sign) > 1)


def _literal(sign: str) -> str:
    """What a sign that stands for itself is in a name as it is shown."""
    return sign if sign == "\\" else escape_name(unescape_name(sign))  # the former is how any hidden character begins


def _of_sqlite(sign: str) -> str:
    if sign[0] == "*":
        return "*"
    if sign == "?":
        return sign
    if not _is_special(sign):
        return re.sub(r"[*?[]", r"[\g<0>]", _literal(sign))
    negated, ranges = _class(sign)
    inner = "".join(f"{low}-{high}" for low, high in ranges if low < high)
    single = {low for low, high in ranges if low == high}
    others = "".join(sorted(single - {"]", "-"}))
    # In this order each is read as what it is; the empty range b-a keeps a ^ from being the first.
    return f"[{'^' * negated}{']' * (']' in single)}b-a{inner}{others}{'-' * ('-' in single)}]"


def _as_regex(sign: str, one: str) -> str:
    if sign == "?":
        return one
    if sign[0] == "*":
        return f"{one}*" if len(sign) == 1 else ".*"
    if sign == _ANY_FOLDERS:
        return "(?:.*/)?"
    if not _is_special(sign):
        return re.escape(_literal(sign))
    negated, ranges = _class(sign)
    if not ranges:  # such as [z-a]
        return one if negated else _NEVER
    return f"(?={one})[{'^' * negated}{''.join(f'{_code(low)}-{_code(high)}' for low, high in ranges)}]"


def _class(sign: str) -> tuple[bool, list[tuple[str, str]]]:
    """Whether brackets stand for what is not in them, and the ranges in them that are not empty."""
    negated = sign[1] in "!^"
    first, *others = re.split(rf"({_ESCAPES}|\\)", sign[1 + negated : -1])
    escaped = re.sub(
        _ESCAPES, "", "".join(escape_name(unescape_name(some)) for some in others[::2])
    )  # but for what is not one character
    ranges = [*_ranges(first), *((char, char) for char in escaped)]
    for part in others[1::2]:
        ranges += _ranges(part)
    return negated, [(low, high) for low, high in ranges if low <= high]


def _ranges(inner: str) -> Iterator[tuple[str, str]]:
    """What stands between the brackets, read as SQLite reads it."""
    if inner.startswith("]"):
        yield "]", "]"
        inner = inner[1:]
    before, position = "", 0
    while position < len(inner):
        char = inner[position]
        position += 1
        if char == "-" and before and position < len(inner):
            yield before, inner[position]
            before, position = "", position + 1
        else:
            yield char, char
            before = char


def _code(char: str) -> str:
    return f"\\U{ord(char):08x}"
