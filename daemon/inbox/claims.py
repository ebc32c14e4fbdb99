"""Claiming a photo: one rename decides which process has it, and one descriptor is read from then on."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from daemon import failpoints
from daemon.fs import dirfd, names
from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp
from daemon.retry import is_transient

PRIVATE = b".foodsort"
"""foodsort's own folder in the inbox."""
_CLAIMED = dirfd.join(PRIVATE, b"claimed")


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
    """

    path: bytes
    run_id: bytes
    fd: int
    stat: os.stat_result
    stable_since: float
    claimed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

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


class Claims:
    """The claim folder `<inbox>/.foodsort/claimed/<run id>/`. Each run of the daemon has its own.

    Attributes:
        inbox_fd: Descriptor of the inbox, -1 after `close`.
        run_id: Name of this run's folder.
    """

    def __init__(self, inbox: Path) -> None:
        """Opens an inbox. Raises OSError."""
        self.open(inbox)
        self._pending_returns: list[tuple[bytes, bytes]] = []
        # One thread creates subfolders of the claim folder while others remove the empty ones.
        self._folder_lock = threading.Lock()

    def open(self, inbox: Path) -> None:
        """Opens the folder at this path, after `close` again. Raises OSError."""
        self.inbox_fd = dirfd.open_root(os.fsencode(inbox))
        self.run_id = b"%d-%d" % (time.time_ns(), os.getpid())

    def close(self) -> None:
        """Closes the inbox and removes the claim folder if it is empty. May be called twice."""
        if self.inbox_fd >= 0:
            dirfd.remove_empty_folders(self.inbox_fd, self.claim_folder(self.run_id, b""))
            os.close(self.inbox_fd)
            self.inbox_fd = -1

    def claim_folder(self, run_id: bytes, path: bytes) -> bytes:
        """Returns the folder, relative to the inbox, that contains the photo `path` after the run `run_id` claimed it."""
        parent, _ = dirfd.split(path)
        return dirfd.join(dirfd.join(_CLAIMED, run_id), parent).rstrip(b"/")

    def claim(self, ready: ReadyFile) -> Claimed:
        """Claims a ready file.

        Raises:
            FileNotFoundError: The file no longer exists.
            FileExistsError: Another file of this name is claimed.
            FileChanged: The file is not ready any more.
            FileRefused: The file cannot be moved or read.
            OSError: The machine has a problem, such as a full disk or no descriptors left.
        """
        parent, name = dirfd.split(ready.path)
        claim_folder = self.claim_folder(self.run_id, ready.path)
        try:
            with (
                self._folder_lock,
                dirfd.open_folder(self.inbox_fd, claim_folder, create=True) as target,
                dirfd.open_folder(self.inbox_fd, parent) as source,
            ):
                dirfd.rename(source, name, target, name)
        except OSError as error:
            self.remove_empty_folders(ready.path, self.run_id)
            if isinstance(error, FileNotFoundError | FileExistsError) or is_transient(error):
                raise
            raise FileRefused(f"cannot be moved: {error.strerror}") from error
        failpoints.failpoint("claimed")
        try:
            return self._open(claim_folder, ready.path, self.run_id, ready)
        except (FileChanged, FileRefused, OSError):  # OSError: no descriptors left, for example
            self.give_back(ready.path, self.run_id)
            raise

    def open_in_place(self, ready: ReadyFile) -> Claimed:
        """Opens a ready file in the inbox without moving it, for a dry run. Raises the same errors as `claim`."""
        parent, _ = dirfd.split(ready.path)
        return self._open(parent, ready.path, b"", ready)

    def reopen(self, path: bytes, run_id: bytes) -> Claimed:
        """Opens a photo that an earlier run of the daemon claimed. Raises FileRefused, OSError."""
        return self._open(self.claim_folder(run_id, path), path, run_id, None)

    def give_back(self, path: bytes, run_id: bytes) -> bytes | None:
        """Moves a claimed photo back to the inbox, under a numbered name when its own is taken.

        Returns:
            Its path in the inbox. None when somebody removed it, or when it cannot be moved at present; in this case
            `retry_returns` tries again.
        """
        try:
            return self._give_back(path, run_id)
        except FileNotFoundError:
            return None
        except OSError:
            self._pending_returns.append((path, run_id))
            return None

    def retry_returns(self) -> None:
        """Moves the photos back that `give_back` could not move."""
        pending = self._pending_returns
        self._pending_returns = []
        for path, run_id in pending:
            self.give_back(path, run_id)

    def remove_empty_folders(self, path: bytes, run_id: bytes) -> None:
        """Removes the subfolders of the claim folder that are empty without the photo `path`."""
        run_folder = self.claim_folder(run_id, b"")
        photo_folder = self.claim_folder(run_id, path)
        with self._folder_lock:
            if photo_folder != run_folder or run_id != self.run_id:
                dirfd.remove_empty_folders(self.inbox_fd, photo_folder)

    def leftovers(self) -> Iterator[tuple[bytes, bytes]]:
        """Yields run id and path of each file in the claim folders of all runs."""
        for claimed_path, _ in dirfd.walk(self.inbox_fd, _CLAIMED):
            run_id, _, path = claimed_path[len(_CLAIMED) + 1 :].partition(b"/")
            if path:
                yield run_id, path

    def stat(self, path: bytes) -> os.stat_result | None:
        """Returns the stat of a path in the inbox, None when the file or its folder does not exist. Raises OSError."""
        parent, name = dirfd.split(path)
        try:
            with dirfd.open_folder(self.inbox_fd, parent) as folder:
                return os.stat(name, dir_fd=folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def stamp(self, path: bytes) -> FileStamp | None:
        """Returns the stamp of a path in the inbox, None when no regular file is there or it cannot be reached."""
        try:
            stat = self.stat(path)
        except OSError:
            return None
        return FileStamp.of(stat) if stat is not None and dirfd.is_regular(stat) else None

    def _give_back(self, path: bytes, run_id: bytes) -> bytes:
        parent, name = dirfd.split(path)
        claim_folder = self.claim_folder(run_id, path)
        with (
            dirfd.open_folder(self.inbox_fd, claim_folder) as source,
            dirfd.open_folder(self.inbox_fd, parent, create=True) as target,
        ):
            free = names.use_first_free(
                names.candidates(name), lambda candidate: dirfd.rename(source, name, target, candidate)
            )
        failpoints.failpoint("given_back")
        self.remove_empty_folders(path, run_id)
        return dirfd.join(parent, free)

    def _open(self, folder: bytes, path: bytes, run_id: bytes, ready: ReadyFile | None) -> Claimed:
        """Opens the photo `path`, which is in `folder`, and checks that it is still as `ready` describes."""
        _, name = dirfd.split(path)
        try:
            with dirfd.open_folder(self.inbox_fd, folder) as folder_fd:
                # O_NONBLOCK: a FIFO that replaced the file must not block.
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
        except OSError as error:
            if is_transient(error):
                raise
            raise FileRefused(f"cannot be read: {error.strerror}") from error
        stat = os.fstat(fd)
        try:
            _check(fd, stat, ready)
        except (FileChanged, FileRefused):
            os.close(fd)
            raise
        stable_since = ready.stable_since if ready is not None else time.monotonic()
        return Claimed(path=path, run_id=run_id, fd=fd, stat=stat, stable_since=stable_since)


def _check(fd: int, stat: os.stat_result, ready: ReadyFile | None) -> None:
    if not dirfd.is_regular(stat):
        raise FileRefused("is no regular file")
    if ready is None:
        return
    if not FileStamp.of(stat).same_except_ctime(ready.stamp):
        raise FileChanged(writing=False)
    if not ready.overdue and is_open_for_writing(fd):
        raise FileChanged(writing=True)


def is_open_for_writing(fd: int) -> bool:
    """Whether a process has the file open for writing: then the kernel grants no read lease (fcntl(2), F_SETLEASE).

    Returns False as well where no lease is possible: for files of other users, and on network and FUSE filesystems.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False
