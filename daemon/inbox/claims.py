"""Taking a photo out of the inbox: one rename decides whose it is, one descriptor is what is read from then on."""

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
from daemon.inbox.readiness import FileStamp, ReadyFile
from daemon.retry import is_transient

PRIVATE = b".foodsort"
_CLAIMED = b"claimed"


class FileChanged(Exception):
    """Raised when a file changed as it was taken, or is still open for `writing`; it is back in the inbox."""

    def __init__(self, *, writing: bool) -> None:
        super().__init__()
        self.writing = writing


class FileRefused(Exception):
    """Raised when a file may not be moved or read, or is none; it is in the inbox. The message says why."""


@dataclass
class Claimed:
    """A photo that is ours. path: where it lay in the inbox, relative to it. fd: open for reading, at its start.

    stable_since: when it was last seen changing (monotonic s); at: when it was taken (UTC).
    """

    path: bytes
    run_id: bytes
    fd: int
    stat: os.stat_result
    stable_since: float
    claimed_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def identity(self) -> str:
        """Device and inode, which a rename keeps."""
        return dirfd.identity(self.stat)

    @property
    def linked(self) -> bool:
        """Whether the file has several names (hard links), each a photo of its own, so that they share the identity."""
        return self.stat.st_nlink > 1

    def was_modified(self) -> bool:
        """Whether the file was written to since it was taken."""
        now = os.fstat(self.fd)
        return (now.st_size, now.st_mtime_ns) != (self.stat.st_size, self.stat.st_mtime_ns)

    def close(self) -> None:
        """Closes the descriptor; twice does no harm."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


@dataclass(frozen=True)
class Returned:
    """A claimed photo that has to wait on in the inbox.

    wait_s: how long it must have stood still before it is tried again. refusal: why it can't be tried before it changes.
    """

    claimed: Claimed
    wait_s: float = 0.0
    refusal: str = ""


class Claims:
    """The claim folder `<inbox>/.foodsort/claimed/<run_id>/`, one run_id a life of the daemon."""

    def __init__(self, inbox: Path) -> None:
        """Raises OSError when the inbox cannot be opened."""
        self.open(inbox)
        self._pending_returns: list[tuple[bytes, bytes]] = []
        # One thread makes sub-folders of the claim folder while others remove the ones that are empty.
        self._folders = threading.Lock()

    def open(self, inbox: Path) -> None:
        """Opens the folder that the path names now, once more after `close`. Raises OSError."""
        self.inbox_fd = dirfd.open_root(os.fsencode(inbox))
        """Descriptor of the folder."""
        self.run_id = b"%d-%d" % (time.time_ns(), os.getpid())

    def close(self) -> None:
        """Closes the inbox's descriptor and removes what is empty of the claim folder; twice does no harm."""
        if self.inbox_fd >= 0:
            dirfd.remove_empty_folders(self.inbox_fd, dirfd.join(PRIVATE, dirfd.join(_CLAIMED, self.run_id)))
            os.close(self.inbox_fd)
            self.inbox_fd = -1

    def claim_folder(self, run_id: bytes, path: bytes) -> bytes:
        """Path, relative to the inbox, of the folder in which the photo `path` of a run_id lies when claimed."""
        return dirfd.join(dirfd.join(PRIVATE, dirfd.join(_CLAIMED, run_id)), dirfd.split(path)[0]).rstrip(b"/")

    def claim(self, ready: ReadyFile) -> Claimed:
        """Claims a ready file.

        Raises FileNotFoundError when it is gone, FileExistsError while another of its name is claimed, FileChanged, FileRefused, and
        OSError for trouble that is not the file's: a full disk, no descriptors left.
        """
        parent, name = dirfd.split(ready.path)
        claim_folder = self.claim_folder(self.run_id, ready.path)
        try:
            with (
                self._folders,
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
            return self._open(ready.path, self.run_id, ready)
        except (FileChanged, FileRefused, OSError):  # OSError: out of descriptors, say
            self.give_back(ready.path, self.run_id)
            raise

    def open_in_place(self, ready: ReadyFile) -> Claimed:
        """Opens a ready file where it lies, for a dry run. Raises as `take` does."""
        return self._open(ready.path, None, ready)

    def reopen(self, path: bytes, run_id: bytes) -> Claimed:
        """Opens a photo that an earlier life of the daemon claimed. Raises FileRefused."""
        return self._open(path, run_id, None)

    def give_back(self, path: bytes, run_id: bytes) -> bytes | None:
        """Puts a claimed file back into the inbox, under another number when its name is taken; returns its path there.

        None when somebody took it away, or when it cannot go back for now: then `settle` tries again.
        """
        try:
            return self._give_back(path, run_id)
        except FileNotFoundError:
            return None
        except OSError:
            self._pending_returns.append((path, run_id))
            return None

    def retry_returns(self) -> None:
        """Puts back what could not go back before."""
        owed, self._pending_returns = self._pending_returns, []
        for path, run_id in owed:
            self.give_back(path, run_id)

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

    def remove_empty_folders(self, path: bytes, run_id: bytes) -> None:
        """Removes the sub-folders of the claim folder that the photo `path` leaves empty."""
        top = self.claim_folder(run_id, b"")
        below = self.claim_folder(run_id, path)
        with self._folders:
            if below != top or run_id != self.run_id:
                dirfd.remove_empty_folders(self.inbox_fd, below)

    def leftovers(self) -> Iterator[tuple[bytes, bytes]]:
        """(run_id, path) of everything that lies in the claim folder."""
        top = dirfd.join(PRIVATE, _CLAIMED)
        for path, _ in dirfd.walk(self.inbox_fd, top):
            run_id, _, rest = path[len(top) + 1 :].partition(b"/")
            if rest:
                yield run_id, rest

    def stat(self, path: bytes) -> os.stat_result | None:
        """stat of a path of the inbox, None when it is gone or its folder is."""
        parent, name = dirfd.split(path)
        try:
            with dirfd.open_folder(self.inbox_fd, parent) as at:
                return os.stat(name, dir_fd=at, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def _open(self, path: bytes, run_id: bytes | None, ready: ReadyFile | None) -> Claimed:
        parent, name = dirfd.split(path)
        where = parent if run_id is None else self.claim_folder(run_id, path)
        try:
            with dirfd.open_folder(self.inbox_fd, where) as at:
                # O_NONBLOCK: a FIFO that was swapped in must not hang us.
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
        except OSError as error:
            if is_transient(error):
                raise
            raise FileRefused(f"cannot be read: {error.strerror}") from error
        stat = os.fstat(fd)
        try:
            if not dirfd.is_regular(stat):
                raise FileRefused("is no regular file")
            if ready is not None:
                if FileStamp.of(stat)[:3] != ready.stamp[:3]:  # all but ctime, which the rename changed
                    raise FileChanged(writing=False)
                if not ready.overdue and open_for_writing(fd):
                    raise FileChanged(writing=True)
        except (FileChanged, FileRefused):
            os.close(fd)
            raise
        since = ready.stable_since if ready is not None else time.monotonic()
        return Claimed(path, run_id or b"", fd, stat, since)


def open_for_writing(fd: int) -> bool:
    """Whether any process has the file open for writing: then the kernel grants no read lease (fcntl(2), F_SETLEASE).

    Not known, so False, where leases are not for us: another user's file, and network and FUSE filesystems.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False
