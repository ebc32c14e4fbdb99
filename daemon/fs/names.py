"""Numbered names, for when one is taken."""

MAX_NAME_BYTES = 255


def numbered(name: bytes, number: int, limit: int = MAX_NAME_BYTES) -> bytes:
    """The `number`-th name to try for a file: `a.jpg`, `a (2).jpg`, …, the stem shortened to fit `limit` bytes.

    >>> numbered(b"soup.jpg", 2)
    b'soup (2).jpg'
    """
    suffix = b"" if number == 1 else b" (%d)" % number
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > 16:  # a dot-file's or a sentence's dot starts no extension
        stem, dot, extension = name, b"", b""
    room = limit - len(suffix) - len(dot) - len(extension)
    return _cut(stem, room) + suffix + dot + extension


def _cut(stem: bytes, room: int) -> bytes:
    if len(stem) <= room:
        return stem
    while room and stem[room] & 0xC0 == 0x80:  # never in the middle of a UTF-8 character
        room -= 1
    return stem[:room]
