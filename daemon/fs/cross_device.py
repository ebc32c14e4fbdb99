"""Moves that also work between filesystems: a verified copy under a hidden name gets its name, then the original goes."""

import errno
import hashlib
import os
from collections.abc import Callable
from typing import NamedTuple

from daemon import failpoints
from daemon.fs import dirfd

OnCopied = Callable[[os.stat_result], None]
"""Called with the stat of a complete copy before the copy gets its final name."""

_CHUNK_BYTES = 1 << 20


class Entry(NamedTuple):
    """A directory entry.

    Attributes:
        folder: Descriptor of the folder.
        name: Name in that folder.
    """

    folder: int
    name: bytes


class FileMover:
    """Moves photos and never overwrites a file. A move that failed halfway continues there when it is tried again."""

    def __init__(self) -> None:
        self._copied: set[int] = set()  # photos whose copy has its name and whose original still exists

    def move(
        self,
        source: Entry,
        target: Entry,
        photo_id: int,
        sha256: Callable[[], str],
        on_copied: OnCopied = lambda stat: None,
    ) -> None:
        """Renames a photo, or copies it with its mode and times and removes the original, if the filesystems differ.

        Args:
            source: The photo.
            target: Its new place.
            photo_id: Id of the photo's row; part of the hidden name of an unfinished copy.
            sha256: Called before a copy begins; returns the digest (hex) that the copy must have. May raise OSError.
            on_copied: See `OnCopied`.

        Raises:
            OSError: EEXIST when the target's name is taken, EIO when the copy has another digest.
        """
        try:
            dirfd.rename(source.folder, source.name, target.folder, target.name)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return
        if photo_id not in self._copied:
            _copy(source, target, b".foodsort-%d.part" % photo_id, sha256(), on_copied)
            self._copied.add(photo_id)
        dirfd.sync(target.folder)
        failpoints.failpoint("named")
        os.unlink(source.name, dir_fd=source.folder)
        self._copied.remove(photo_id)
        # Otherwise it might be claimed again after a power failure, though its row reports it as filed.
        dirfd.sync(source.folder)


def _copy(source: Entry, target: Entry, part: bytes, sha256: str, on_copied: OnCopied) -> None:
    read = os.open(source.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source.folder)
    try:
        stat = os.fstat(read)
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        write = os.open(part, flags, 0o600, dir_fd=target.folder)
        try:
            _copy_bytes(read, write, sha256)
            os.fchmod(write, stat.st_mode & 0o777)
            os.utime(write, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            dirfd.sync(write)
            on_copied(os.fstat(write))
        finally:
            os.close(write)
        failpoints.failpoint("copied")
        dirfd.rename(target.folder, part, target.folder, target.name)
    except OSError:
        if dirfd.exists(target.folder, part):
            os.unlink(part, dir_fd=target.folder)
        raise
    finally:
        os.close(read)


def _copy_bytes(read: int, write: int, sha256: str) -> None:
    with os.fdopen(os.dup(read), "rb") as original, os.fdopen(os.dup(write), "r+b") as copy:
        while chunk := original.read(_CHUNK_BYTES):
            copy.write(chunk)
        copy.flush()
        copy.seek(0)
        if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:
            raise OSError(errno.EIO, "the copy differs from the photo")
