"""Numbered file names, for when a name is taken."""

import itertools
from collections.abc import Callable, Iterable, Iterator

MAX_NAME_BYTES = 255


def numbered(name: bytes, number: int, limit: int = MAX_NAME_BYTES) -> bytes:
    """Adds a number to a file name, before its extension, and shortens the stem if necessary.

    Args:
        name: The file name.
        number: 1 returns the name itself, 2 and more add ` (2)`, ` (3)`, …
        limit: Maximum length of the result, in bytes.

    >>> numbered(b"soup.jpg", 2)
    b'soup (2).jpg'
    """
    suffix = b"" if number == 1 else b" (%d)" % number
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > 16:  # the dot of a dot-file or of a sentence starts no extension
        stem = name
        dot = b""
        extension = b""
    room = limit - len(suffix) - len(dot) - len(extension)
    return _cut(stem, room) + suffix + dot + extension


def candidates(name: bytes) -> Iterator[bytes]:
    """Yields the names to try for a file, without end: `a.jpg`, `a (2).jpg`, `a (3).jpg` and so on."""
    return (numbered(name, number) for number in itertools.count(1))


def use_first_free(names: Iterable[bytes], attempt: Callable[[bytes], None]) -> bytes:
    """Calls `attempt` with one name after another until a name is free.

    Args:
        names: The names to try, such as `candidates(name)`.
        attempt: Creates or moves a file under a name; raises FileExistsError when the name is taken.

    Returns:
        The name for which `attempt` succeeded.

    Raises:
        FileExistsError: All names are taken. Every other exception of `attempt` is raised as well.
    """
    for name in names:
        try:
            attempt(name)
        except FileExistsError:
            continue
        return name
    raise FileExistsError("all names are taken")


def _cut(stem: bytes, room: int) -> bytes:
    if len(stem) <= room:
        return stem
    while room and stem[room] & 0xC0 == 0x80:  # never in the middle of a UTF-8 character
        room -= 1
    return stem[:room]
