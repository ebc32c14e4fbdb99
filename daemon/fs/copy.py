"""Copies of files on other filesystems: verified, with their metadata, under a hidden name until they are complete."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import structlog

from daemon import failpoints
from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.fs.part import new_part
from daemon.fs.rename import rename

log = structlog.get_logger()

OnCopied = Callable[[os.stat_result], None]
"""Called with the stat of a complete copy before the copy gets its final name."""

_CHUNK_BYTES = 1 << 20


def copy(source: Entry, target: Entry, sha256: str, on_copied: OnCopied) -> os.stat_result:
    """Copies a file to a free name on another filesystem.

    Args:
        source: The file.
        target: The name of the copy.
        sha256: Digest (hex) that the copy must have.
        on_copied: See `OnCopied`.

    Returns:
        The stat of the copy.

    Raises:
        FileExistsError: The target's name is taken.
        OSError: EIO when the copy has another digest. There is no copy.
    """
    with _opened(source) as read, new_part(target.folder) as (part, write):
        _copy_bytes(read, write, sha256)
        _copy_metadata(read, write)
        dirfd.sync(write)
        stat = os.fstat(write)
        on_copied(stat)
        failpoints.failpoint("copied")
        _give_name(part, target, stat)
    return stat


def _give_name(part: Entry, target: Entry, stat: os.stat_result) -> None:
    """Gives a complete copy its name. Raises OSError."""
    try:
        rename(part, target)
    except FileNotFoundError as error:
        raise OSError(errno.ESTALE, "the unfinished copy was removed", target.name) from error
    except FileExistsError:
        raise
    except OSError:
        if not target.is_same_file(stat):
            raise
        # It has the name, and only the hidden one could not be removed.
        with suppress(OSError):
            part.remove()


@contextmanager
def _opened(source: Entry) -> Iterator[int]:
    fd = source.open()
    try:
        yield fd
    finally:
        os.close(fd)


def _copy_bytes(read: int, write: int, sha256: str) -> None:
    with os.fdopen(os.dup(read), "rb") as original, os.fdopen(os.dup(write), "r+b") as copied:
        while chunk := original.read(_CHUNK_BYTES):
            copied.write(chunk)
        copied.flush()
        copied.seek(0)
        if hashlib.file_digest(copied, "sha256").hexdigest() != sha256:
            raise OSError(errno.EIO, "the copy differs from the photo")


def _copy_metadata(read: int, write: int) -> None:
    """Copies what `mv` preserves. A filesystem may refuse a part of it: then the copy does without."""
    stat = os.fstat(read)
    steps: dict[str, Callable[[], None]] = {}
    if os.geteuid() == 0:
        steps["owner"] = lambda: os.fchown(write, stat.st_uid, stat.st_gid)
    steps["mode"] = lambda: os.fchmod(write, stat.st_mode & 0o777)  # after the owner, whose change clears bits
    steps["extended attributes"] = lambda: _copy_attributes(read, write)  # access control lists are among them
    steps["times"] = lambda: os.utime(write, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    for name, step in steps.items():
        try:
            step()
        except OSError as error:
            _note_refused(os.fstat(write).st_dev, name, error)


def _copy_attributes(read: int, write: int) -> None:
    refused = None
    for name in os.listxattr(read):
        try:
            os.setxattr(write, name, os.getxattr(read, name))
        except OSError as error:
            refused = error
    if refused:
        raise refused


_noted: set[tuple[int, str]] = set()


def _note_refused(device: int, name: str, error: OSError) -> None:
    """Logs once for each filesystem and kind of metadata."""
    if (device, name) not in _noted:
        _noted.add((device, name))
        log.warning("the filesystem refuses metadata; copies are kept without it", metadata=name, reason=error.strerror)
