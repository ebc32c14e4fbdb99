"""Copies of files: verified, with their metadata, under a hidden name until they are complete."""

import errno
import fcntl
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
_FICLONE = 0x40049409  # linux/fs.h


class CopyDiffers(OSError):
    """Raised when a copy has another digest than expected: the file was changed, or the disk is defective."""


def copy(source: Entry, target: Entry, sha256: str, on_copied: OnCopied) -> os.stat_result:
    """Copies a file to a free name on another filesystem; the copy is on the disk when it gets its name.

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
    with _opened(source) as read:
        return copy_open(read, target, sha256, on_copied)


def copy_open(
    read: int, target: Entry, sha256: str, on_copied: OnCopied = lambda stat: None, *, synced: bool = True
) -> os.stat_result:
    """Copies an open file to a free name: as a reflink, which shares its blocks, where the filesystem can.

    Args:
        read: Descriptor of the file.
        target: The name of the copy.
        sha256: Digest (hex) that the copy must have.
        on_copied: See `OnCopied`.
        synced: Whether to sync the copy before it gets its name.

    Returns:
        The stat of the copy.

    Raises:
        FileExistsError: The target's name is taken.
        CopyDiffers: The copy has another digest. There is no copy.
        OSError: There is no copy.
    """
    with new_part(target.folder) as (part, write):
        _copy_bytes(read, write)
        if digest(write) != sha256:
            raise CopyDiffers(errno.EIO, "the copy differs from the photo")
        _copy_metadata(read, write)
        if synced:
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


def digest(fd: int) -> str:
    """Returns the SHA-256 (hex) of an open file. Raises OSError."""
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_bytes(read: int, write: int) -> None:
    try:
        fcntl.ioctl(write, _FICLONE, read)
    except OSError:  # the filesystem has no reflinks, or they are on two
        with os.fdopen(os.dup(read), "rb") as original, os.fdopen(os.dup(write), "wb") as copied:
            original.seek(0)
            while chunk := original.read(_CHUNK_BYTES):
                copied.write(chunk)


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
