"""A claimed photo: one descriptor, opened and checked when it was claimed, is read from then on."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from daemon.fs import dirfd
from daemon.fs.entry import Entry
from daemon.fs.filesystem import Filesystem
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.retry import is_transient


class FileChanged(Exception):
    """Raised when a file changed while it was claimed, or is still open for writing; it is back in the inbox.

    Attributes:
        writing: Whether a process has it open for writing.
    """

    def __init__(self, *, writing: bool) -> None:
        super().__init__()
        self.writing = writing


class FileRefused(Exception):
    """Raised when a file cannot be moved or read, or is not a regular file; it is in the inbox. The message says why."""


@dataclass
class Claimed:
    """A claimed photo.

    Attributes:
        path: Its path before it was claimed, relative to the inbox.
        run_id: The run of the daemon that claimed it; empty in a dry run.
        fd: Descriptor, open for reading at the start of the file.
        stat: Its stat when it was claimed.
        stable_since: Time of its last known change (monotonic s).
        claimed_at: Time at which it was claimed (UTC).
        identity_in_inbox: Device and inode before the claim; a copy, or a filesystem without lasting inodes, changes them.
        original: `FileStamp.text` of the file in the inbox that it is a copy of, empty if that is unknown; None if the
            file itself was claimed.
        sha256: Digest (hex) of its bytes if it is a copy, else empty.
    """

    path: bytes
    run_id: bytes
    fd: int
    stat: os.stat_result
    stable_since: float
    claimed_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    identity_in_inbox: str = ""
    original: str | None = None
    sha256: str = ""

    @classmethod
    def open(
        cls, entry: Entry, path: bytes, run_id: bytes, ready: ReadyFile | None, known: Filesystem | None = None
    ) -> "Claimed":
        """Opens the photo `path`, which is `entry` now, and checks that it is still as `ready` describes.

        Args:
            entry: Where it is.
            path: Its path before it was claimed.
            run_id: The run of the daemon that claims it.
            ready: What it was before; None: whatever it is.
            known: A filesystem, probably that of the photo, with an open file.

        Raises:
            FileChanged: It is not.
            FileRefused: It cannot be read, or is not a regular file.
            OSError: The machine has a problem.
        """
        with unreadable_is_refused():
            fd = entry.open()
        stat = os.fstat(fd)
        try:
            _check(fd, stat, ready, known)
        except (FileChanged, FileRefused, OSError):
            os.close(fd)
            raise
        stable_since = ready.stable_since if ready is not None else time.monotonic()
        claimed = cls(path=path, run_id=run_id, fd=fd, stat=stat, stable_since=stable_since)
        claimed.identity_in_inbox = claimed.identity if ready is None else ready.stamp.identity
        return claimed

    @property
    def identity(self) -> str:
        """Device and inode, which a rename does not change."""
        return dirfd.identity(self.stat)

    @property
    def linked(self) -> bool:
        """Whether the file has several names (hard links); each is a photo of its own, and they share the identity."""
        return self.stat.st_nlink > 1

    def was_modified(self) -> bool:
        """Whether the file was written to after it was claimed."""
        stat = os.fstat(self.fd)
        return (stat.st_size, stat.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns)

    def close(self) -> None:
        """Closes the descriptor. May be called twice."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True)
class Returned:
    """A claimed photo that the pipeline gives back to the inbox.

    Attributes:
        claimed: The photo.
        wait_s: Seconds without a change after which it is tried again.
        refusal: Why it cannot be tried before it changes; empty when it can.
    """

    claimed: Claimed
    wait_s: float = 0.0
    refusal: str = ""


@contextmanager
def unreadable_is_refused() -> Iterator[None]:
    """Turns errors of opening a file into FileRefused, unless they describe the present state of the machine."""
    try:
        yield
    except OSError as error:
        if is_transient(error):
            raise
        raise FileRefused(f"cannot be read: {error.strerror}") from error


def _check(fd: int, stat: os.stat_result, ready: ReadyFile | None, known: Filesystem | None) -> None:
    if not dirfd.is_regular(stat):
        raise FileRefused("is no regular file")
    if ready is None:
        return
    filesystem = known if known is not None and known.device == stat.st_dev else Filesystem.of(fd)
    stamp = FileStamp.of(stat)
    if not filesystem.has_lasting_inodes:
        stamp = stamp._replace(inode=ready.stamp.inode)
    if not stamp.same_except_ctime(ready.stamp):
        raise FileChanged(writing=False)
    if not ready.overdue and not filesystem.is_network and _is_open_for_writing(fd):
        raise FileChanged(writing=True)


def _is_open_for_writing(fd: int) -> bool:
    """Whether a process has the file open for writing: then the kernel grants no read lease (fcntl(2), F_SETLEASE).

    Returns False as well where a lease is not possible (files of other users). On network and FUSE filesystems, it tells
    nothing: EAGAIN may mean that the server grants none.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False
