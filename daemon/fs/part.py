"""Unfinished files: they have a hidden name until they are complete."""

import fcntl
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from daemon.fs import dirfd
from daemon.fs.entry import Entry

_NAME = re.compile(rb"\.foodsort-[0-9a-f]{16}\.part")
_ABANDONED_S = 24 * 3600.0
"""Age (s) at which a file counts as abandoned where the filesystem has no locks."""


@contextmanager
def new_part(folder: int, *, mode: int = 0o600) -> Iterator[tuple[Entry, int]]:
    """Creates a file under a hidden name that no other process uses; removes it when the block fails.

    Args:
        folder: Descriptor of the folder.
        mode: Its permissions; the umask applies.

    Yields:
        The entry, and a descriptor to read and write; the block renames the file.

    Raises:
        OSError: The file cannot be created.
    """
    part = Entry(folder, b".foodsort-%s.part" % secrets.token_hex(8).encode())
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(part.name, flags, mode, dir_fd=folder)
    try:
        with suppress(OSError):  # not every filesystem has locks
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield part, fd
    except BaseException:
        with suppress(OSError):
            part.remove()
        raise
    finally:
        os.close(fd)


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replaces a small file: after a death or an error it has its old content or the new one, never a part of it.

    Args:
        path: The file, in a folder that exists.
        content: Its new content.
        mode: Its permissions; the umask applies.

    Raises:
        OSError: It cannot be written.
    """
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with new_part(folder, mode=mode) as (part, fd):
            # Not by one os.write, which a disk that fills up ends early and without an error.
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(content)
            os.fsync(fd)
            os.rename(part.name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.fsync(folder)
    finally:
        os.close(folder)


def is_part(name: bytes) -> bool:
    """Whether a name is that of an unfinished file."""
    return _NAME.fullmatch(name) is not None


def sweep(folder: int) -> None:
    """Removes the unfinished files of this user on which no process works any more from a folder. Raises OSError."""
    for name in map(os.fsencode, os.listdir(folder)):
        if is_part(name):
            with suppress(FileNotFoundError):
                _remove_abandoned(Entry(folder, name))


def _remove_abandoned(part: Entry) -> None:
    stat = part.stat()
    if not dirfd.is_regular(stat) or stat.st_uid != os.geteuid():
        return
    fd = part.open()
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    except OSError:
        if time.time() - stat.st_ctime < _ABANDONED_S:
            return
    finally:
        os.close(fd)
    part.remove()
