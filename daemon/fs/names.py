"""Numbered file names, for when a name is taken."""

import re
from collections.abc import Callable, Iterable, Iterator

MAX_NAME_BYTES = 255
MAX_ENCRYPTED_NAME_BYTES = 143
"""Longest name that eCryptfs can store; other encrypting filesystems store longer ones."""

_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
"""Characters that Windows does not allow in file names (learn.microsoft.com, "Naming files, paths, and namespaces")."""


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


def portable(name: bytes) -> bytes:
    """Returns a name that NTFS, exFAT, SMB and encrypting filesystems accept.

    >>> portable(b"10:30 soup?.jpg")
    b'10_30 soup_.jpg'
    """
    text = name.decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "_")
    allowed = _FORBIDDEN.sub("_", text).rstrip(". ") or "_"
    return numbered(allowed.encode(), 1, MAX_ENCRYPTED_NAME_BYTES)


def candidates(
    name: bytes, is_taken: Callable[[bytes], bool], *, limit: int = MAX_NAME_BYTES, suffix_bytes: int = 0
) -> Iterator[bytes]:
    """Yields the names to try for a file, without end: free ones of `a.jpg`, `a (2).jpg`, `a (3).jpg` and so on.

    Thousands of files may have the same name, so not every number is looked at. The names are in order and may skip free
    ones where numbers have gaps.

    Args:
        name: The file name.
        is_taken: Whether a name is taken now. It may be taken later, so whoever uses a name must never overwrite.
        limit: Longest name (bytes).
        suffix_bytes: Length of a suffix that has to fit behind each name with a number.
    """

    def named(number: int) -> bytes:
        return numbered(name, number, limit - (suffix_bytes if number > 1 else 0))

    number = 0
    while True:
        number = _next_free(number, lambda candidate: is_taken(named(candidate)))
        yield named(number)


def use_first_free(names: Iterable[bytes], attempt: Callable[[bytes], None]) -> bytes:
    """Calls `attempt` with one name after another until a name is free.

    Args:
        names: The names to try, such as `candidates(name, is_taken)`.
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


def _next_free(number: int, is_taken: Callable[[int], bool]) -> int:
    """Returns a free number after `number`: by steps of 1, 2, 4, … to a free one, then by bisection down to a taken one."""
    taken = number
    step = 1
    while is_taken(free := taken + step):
        taken = free
        step *= 2
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_taken(middle):
            taken = middle
        else:
            free = middle
    return free


def _cut(stem: bytes, room: int) -> bytes:
    if len(stem) <= room:
        return stem
    while room and stem[room] & 0xC0 == 0x80:  # never in the middle of a UTF-8 character
        room -= 1
    return stem[:room]
