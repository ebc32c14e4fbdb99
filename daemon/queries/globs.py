r"""Patterns for names and paths, as in a shell: * any characters, ? one, [a-f] one of these, [!a-f] any other.

A pattern matches a name as `models.filenames.escape_name` gives it. There a hidden character is four, such as `\x0a`, and
brackets match none of these. In a pattern `\xNN` is a byte of a name and never special, so `\x2a` is a star itself.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

import sqlalchemy as sa

from models.filenames import escape_name, unescape_name

_ESCAPES: Final = r"(?:\\x[0-9a-fA-F]{2})+"
_TOKEN: Final = re.compile(rf"\*+|\?|\[[!^]?+\]?+[^\]]*+\]|{_ESCAPES}|.", re.DOTALL)
_ANY_FOLDERS: Final = "\0"  # in no path
_NEVER: Final = "(?!.)."  # in the regular expressions of Python and PostgreSQL


def is_glob(text: str) -> bool:
    """Whether a text has a special character."""
    return not {"*", "?", "["}.isdisjoint(text)


def matches(
    column: "sa.ColumnElement[Any]", glob: str, dialect: str, *, by_index: bool = False
) -> "sa.ColumnElement[bool]":
    """The condition that a column matches; case counts.

    Args:
        column: Text.
        glob: The pattern.
        dialect: SQLAlchemy's name for the kind of database.
        by_index: Let SQLite use an index on the column, and then sort all matches; else it reads rows in order, which
            ends soon if many match. PostgreSQL decides by its statistics.
    """
    tokens = _tokens(glob)
    if dialect != "postgresql":
        operand = column if by_index else column.concat("")
        return operand.op("GLOB", is_comparison=True)("".join(map(_as_sqlite, tokens)))
    if any(token[0] == "[" and _is_special(token) for token in tokens):
        return column.regexp_match(f"^(?:{_regex(glob)})$")
    # LIKE is quicker than a regular expression, and PostgreSQL finds its prefix by the index.
    return column.like("".join(map(_as_like, tokens)))


def coarse(glob: str) -> str:
    """A pattern for `matches` that matches at least every path that `path_matcher` does."""
    return glob.replace("**/", "*")


def path_matcher(glob: str) -> Callable[[str], bool]:
    """A function that tests if a path, or a folder above it, matches. One star ends at a slash, two stars do not."""
    pattern = re.compile(f"{_regex(glob.replace('**/', _ANY_FOLDERS), any_character='[^/]')}(?:/.*)?", re.DOTALL)
    return lambda path: pattern.fullmatch(path) is not None


def _tokens(glob: str) -> list[str]:
    return [token.group() for token in _TOKEN.finditer(glob)]


def _is_special(token: str) -> bool:
    return token[0] in "*?" or (token[0] == "[" and len(token) > 1)


def _literal(token: str) -> str:
    """The text that a token without a special meaning matches in a name as it is shown."""
    return (
        token if token == "\\" else escape_name(unescape_name(token))
    )  # every hidden character begins with a backslash


def _as_sqlite(token: str) -> str:
    if token[0] == "*":
        return "*"
    if token == "?":
        return token
    if not _is_special(token):
        return re.sub(r"[*?[]", r"[\g<0>]", _literal(token))
    negated, ranges = _character_class(token)
    inner = "".join(f"{low}-{high}" for low, high in ranges if low < high)
    single = {low for low, high in ranges if low == high}
    unambiguous = "".join(sorted(single - {"]", "-"}))
    # In this order SQLite reads each as itself; the empty range b-a keeps a ^ from being the first.
    return f"[{'^' * negated}{']' * (']' in single)}b-a{inner}{unambiguous}{'-' * ('-' in single)}]"


def _as_like(token: str) -> str:
    if token[0] == "*":
        return "%"
    if token == "?":
        return "_"
    return re.sub(r"[\\%_]", r"\\\g<0>", _literal(token))


def _regex(glob: str, any_character: str = ".") -> str:
    """The regular expression for a whole text. any_character: matches one character."""
    return "".join(_as_regex(token, any_character) for token in _tokens(glob))


def _as_regex(token: str, any_character: str) -> str:
    if token == "?":
        return any_character
    if token[0] == "*":
        return f"{any_character}*" if len(token) == 1 else ".*"
    if token == _ANY_FOLDERS:
        return "(?:.*/)?"
    if not _is_special(token):
        return re.escape(_literal(token))
    negated, ranges = _character_class(token)
    if not ranges:  # such as [z-a]
        return any_character if negated else _NEVER
    inner = "".join(f"{_code(low)}-{_code(high)}" for low, high in ranges)
    return f"(?={any_character})[{'^' * negated}{inner}]"


def _character_class(token: str) -> tuple[bool, list[tuple[str, str]]]:
    """Whether brackets are negated, and the ranges in them that are not empty."""
    negated = token[1] in "!^"
    first, *others = re.split(rf"({_ESCAPES}|\\)", token[1 + negated : -1])
    # An escape that is not one character of a name matches nothing here.
    escaped = re.sub(_ESCAPES, "", "".join(escape_name(unescape_name(escape)) for escape in others[::2]))
    ranges = [*_ranges(first), *((char, char) for char in escaped)]
    for part in others[1::2]:
        ranges += _ranges(part)
    return negated, [(low, high) for low, high in ranges if low <= high]


def _ranges(inner: str) -> Iterator[tuple[str, str]]:
    """The ranges between the brackets, as SQLite reads them."""
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
