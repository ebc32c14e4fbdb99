"""Taking a photo out of the inbox: one rename decides whose it is, one descriptor is what is read from then on."""

import errno
import fcntl
import itertools
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

    still_since: when it was last seen changing (monotonic s); at: when it was taken (UTC).
    """

    path: bytes
    generation: bytes
    fd: int
    stat: os.stat_result
    still_since: float
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def identity(self) -> str:
        """Device and inode, which a rename keeps."""
        return dirfd.identity(self.stat)

    @property
    def linked(self) -> bool:
        """Whether the file has several names (hard links), each a photo of its own, so that they share the identity."""
        return self.stat.st_nlink > 1

    def changed(self) -> bool:
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

    wait_s: how long it must have stood still before it is tried again. refused: why it can't be tried before it changes.
    """

    claimed: Claimed
    wait_s: float = 0.0
    refused: str = ""


class Claims:
    """The claim folder `<inbox>/.foodsort/claimed/<generation>/`, one generation a life of the daemon."""

    def __init__(self, inbox: Path) -> None:
        """Raises OSError when the inbox cannot be opened."""
        self.open(inbox)
        self._owed: list[tuple[bytes, bytes]] = []
        # One thread makes sub-folders of the claim folder while others remove the ones that are empty.
        self._folders = threading.Lock()

    def open(self, inbox: Path) -> None:
        """Opens the folder that the path names now, once more after `close`. Raises OSError."""
        self.inbox = dirfd.open_root(os.fsencode(inbox))
        """Descriptor of the folder."""
        self.generation = b"%d-%d" % (time.time_ns(), os.getpid())

    def close(self) -> None:
        """Closes the inbox's descriptor and removes what is empty of the claim folder; twice does no harm."""
        if self.inbox >= 0:
            dirfd.remove_empty(self.inbox, dirfd.join(PRIVATE, dirfd.join(_CLAIMED, self.generation)))
            os.close(self.inbox)
            self.inbox = -1

    def folder(self, generation: bytes, path: bytes) -> bytes:
        """Path, relative to the inbox, of the folder in which the photo `path` of a generation lies when claimed."""
        return dirfd.join(dirfd.join(PRIVATE, dirfd.join(_CLAIMED, generation)), dirfd.split(path)[0]).rstrip(b"/")

    def take(self, ready: ReadyFile) -> Claimed:
        """Claims a ready file.

        Raises FileNotFoundError when it is gone, FileExistsError while another of its name is claimed, FileChanged, FileRefused, and
        OSError for trouble that is not the file's: a full disk, no descriptors left.
        """
        parent, name = dirfd.split(ready.path)
        claim_folder = self.folder(self.generation, ready.path)
        try:
            with (
                self._folders,
                dirfd.folder(self.inbox, claim_folder, create=True) as target,
                dirfd.folder(self.inbox, parent) as source,
            ):
                dirfd.rename(source, name, target, name)
        except OSError as error:
            self.tidy(ready.path, self.generation)
            if isinstance(error, FileNotFoundError | FileExistsError) or is_transient(error):
                raise
            raise FileRefused(f"cannot be moved: {error.strerror}") from error
        failpoints.failpoint("claimed")
        try:
            return self._open(ready.path, self.generation, ready)
        except (FileChanged, FileRefused, OSError):  # OSError: out of descriptors, say
            self.give_back(ready.path, self.generation)
            raise

    def peek(self, ready: ReadyFile) -> Claimed:
        """Opens a ready file where it lies, for a dry run. Raises as `take` does."""
        return self._open(ready.path, None, ready)

    def again(self, path: bytes, generation: bytes) -> Claimed:
        """Opens a photo that an earlier life of the daemon claimed. Raises FileRefused."""
        return self._open(path, generation, None)

    def give_back(self, path: bytes, generation: bytes) -> bytes | None:
        """Puts a claimed file back into the inbox, under another number when its name is taken; returns its path there.

        None when somebody took it away, or when it cannot go back for now: then `settle` tries again.
        """
        try:
            return self._give_back(path, generation)
        except FileNotFoundError:
            return None
        except OSError:
            self._owed.append((path, generation))
            return None

    def settle(self) -> None:
        """Puts back what could not go back before."""
        owed, self._owed = self._owed, []
        for path, generation in owed:
            self.give_back(path, generation)

    def _give_back(self, path: bytes, generation: bytes) -> bytes:
        parent, name = dirfd.split(path)
        claim_folder = self.folder(generation, path)
        with dirfd.folder(self.inbox, claim_folder) as source, dirfd.folder(self.inbox, parent, create=True) as target:
            for number in itertools.count(1):
                back = names.numbered(name, number)
                try:
                    dirfd.rename(source, name, target, back)
                    break
                except FileExistsError:
                    continue
        failpoints.failpoint("given_back")
        self.tidy(path, generation)
        return dirfd.join(parent, back)

    def tidy(self, path: bytes, generation: bytes) -> None:
        """Removes the sub-folders of the claim folder that the photo `path` leaves empty."""
        top = self.folder(generation, b"")
        below = self.folder(generation, path)
        with self._folders:
            if below != top or generation != self.generation:
                dirfd.remove_empty(self.inbox, below)

    def leftovers(self) -> Iterator[tuple[bytes, bytes]]:
        """(generation, path) of everything that lies in the claim folder."""
        top = dirfd.join(PRIVATE, _CLAIMED)
        for path, _ in dirfd.files(self.inbox, top):
            generation, _, rest = path[len(top) + 1 :].partition(b"/")
            if rest:
                yield generation, rest

    def look(self, path: bytes) -> os.stat_result | None:
        """stat of a path of the inbox, None when it is gone or its folder is."""
        parent, name = dirfd.split(path)
        try:
            with dirfd.folder(self.inbox, parent) as at:
                return os.stat(name, dir_fd=at, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:
                return None
            raise

    def _open(self, path: bytes, generation: bytes | None, ready: ReadyFile | None) -> Claimed:
        parent, name = dirfd.split(path)
        where = parent if generation is None else self.folder(generation, path)
        try:
            with dirfd.folder(self.inbox, where) as at:
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
                if FileStamp.of(stat)[:3] != ready.look[:3]:  # all but ctime, which the rename changed
                    raise FileChanged(writing=False)
                if not ready.overdue and open_for_writing(fd):
                    raise FileChanged(writing=True)
        except (FileChanged, FileRefused):
            os.close(fd)
            raise
        since = ready.still_since if ready is not None else time.monotonic()
        return Claimed(path, generation or b"", fd, stat, since)


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
