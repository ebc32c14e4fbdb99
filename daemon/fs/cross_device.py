"""Moves to another filesystem: a whole, verified copy under a hidden name, then its name, then the original goes."""

import errno
import hashlib
import os
from collections.abc import Callable

from daemon import failpoints
from daemon.fs import dirfd

OnCopied = Callable[[os.stat_result], None]

_CHUNK_BYTES = 1 << 20


class CrossDeviceMover:
    """Moves photos between filesystems; a move that failed halfway goes on from there when it is tried again."""

    def __init__(self) -> None:
        self._copied: set[int] = set()  # photos whose copy has its name and whose original is still there

    def move(
        self,
        source: int,
        old: bytes,
        target: int,
        new: bytes,
        photo_id: int,
        sha256: str,
        whole: OnCopied = lambda stat: None,
    ) -> None:
        """Moves `old` in the folder `source` to `new` in the folder `target`, with its mode and times.

        whole: called with the stat of the copy before it has its name.
        Raises OSError: EEXIST when `new` is taken, EIO when the copy is not what the sha256 says.
        """
        if photo_id not in self._copied:
            _copy(source, old, target, new, b".foodsort-%d.part" % photo_id, sha256, whole)
            self._copied.add(photo_id)
        dirfd.sync(target)
        failpoints.failpoint("named")
        os.unlink(old, dir_fd=source)
        self._copied.remove(photo_id)
        # Else it might be claimed again after a loss of power, though its row says that it is filed.
        dirfd.sync(source)


def _copy(source: int, old: bytes, target: int, new: bytes, part: bytes, sha256: str, whole: OnCopied) -> None:
    read = os.open(old, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=source)
    try:
        stat = os.fstat(read)
        write = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=target)
        try:
            with os.fdopen(os.dup(read), "rb") as original, os.fdopen(os.dup(write), "r+b") as copy:
                while chunk := original.read(_CHUNK_BYTES):
                    copy.write(chunk)
                copy.flush()
                copy.seek(0)
                if hashlib.file_digest(copy, "sha256").hexdigest() != sha256:
                    raise OSError(errno.EIO, "the copy differs from the photo")
            os.fchmod(write, stat.st_mode & 0o777)
            os.utime(write, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            dirfd.sync(write)
            whole(os.fstat(write))
        finally:
            os.close(write)
        failpoints.failpoint("copied")
        dirfd.rename(target, part, target, new)
    except OSError:
        if dirfd.exists(target, part):
            os.unlink(part, dir_fd=target)
        raise
    finally:
        os.close(read)
