"""Locks in the inbox: one daemon per inbox, one action on sorted photos at a time. They end with the process."""

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from daemon.database.timestamps import format_time
from daemon.fs import dirfd
from daemon.inbox.claims import PRIVATE
from models.errors import FoodsortError

_DAEMON_LOCK = b"lock"
_ACTION_LOCK = b"back.lock"
_POLL_S = 0.05  # between two attempts to take a lock, since flock(2) has no timeout


class InboxLock:
    """The lock `<inbox>/.foodsort/lock`, held until `release`."""

    def __init__(self, inbox_fd: int, path: Path) -> None:
        """Takes the lock.

        Args:
            inbox_fd: Descriptor of the inbox.
            path: Its path, for messages.

        Raises:
            FoodsortError: Another process, which the message names, holds it.
            OSError: The lock cannot be opened.
        """
        self._fd = _open_lock(inbox_fd, _DAEMON_LOCK, path)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n%s\n" % (os.getpid(), format_time(datetime.now(UTC)).encode()), 0)
        except BlockingIOError:
            message = f"{_read_holder(self._fd)} sorts {path} already; stop it first, or let it do the work"
            os.close(self._fd)
            raise FoodsortError(message) from None  # without its cause, which would count as transient
        except OSError:
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Releases the lock."""
        os.close(self._fd)


@contextmanager
def action_lock(
    inbox_fd: int, path: Path, *, timeout_s: float | None = None, on_wait: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Holds `<inbox>/.foodsort/back.lock`, which every process holds while it moves sorted photos.

    Args:
        inbox_fd: Descriptor of the inbox.
        path: Its path, for messages.
        timeout_s: How long to wait for another holder (s); None waits until that one is done.
        on_wait: Called once when another process holds the lock.

    Yields:
        Whether the lock was acquired.

    Raises:
        FoodsortError: Something else is in the place of the lock's folder.
        OSError: The lock cannot be opened.
    """
    fd = _open_lock(inbox_fd, _ACTION_LOCK, path)
    try:
        acquired = _try_lock(fd)
        if not acquired:
            on_wait()
            acquired = _wait_for_lock(fd, timeout_s)
        yield acquired
    finally:
        os.close(fd)


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_for_lock(fd: int, timeout_s: float | None) -> bool:
    if timeout_s is None:
        fcntl.flock(fd, fcntl.LOCK_EX)
        return True
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        time.sleep(_POLL_S)
        if _try_lock(fd):
            return True
    return False


def holder(path: Path) -> str | None:
    """Returns which process sorts an inbox, such as `process 17 (since …)`; None when none does. Takes no lock.

    Raises:
        OSError: The lock cannot be read: permission is missing, or the inbox does not exist.
    """
    try:
        fd = os.open(
            path / os.fsdecode(PRIVATE) / os.fsdecode(_DAEMON_LOCK), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        )
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(fd)
    finally:
        os.close(fd)
    return None


def _open_lock(inbox_fd: int, name: bytes, path: Path) -> int:
    """Opens a lock file and returns its descriptor; creates the file and its folder if they are missing.

    Raises:
        FoodsortError: Something else is in the place of the folder or the file.
        OSError: The file cannot be opened.
    """
    try:
        with suppress(FileExistsError):
            os.mkdir(PRIVATE, 0o700, dir_fd=inbox_fd)
        # By descriptor: if a member of the group creates a link there, nothing is opened elsewhere.
        with dirfd.open_folder(inbox_fd, PRIVATE) as private:
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=private)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.EISDIR, errno.ELOOP}:
            lock_path = path / os.fsdecode(PRIVATE) / os.fsdecode(name)
            raise OSError(error.errno, error.strerror, str(lock_path)) from error
        raise FoodsortError(f"{path}/.foodsort is not the folder that foodsort makes; move it away") from error


def _read_holder(fd: int) -> str:
    pid, _, since = os.pread(fd, 64, 0).decode(errors="replace").strip().partition("\n")
    return f"process {pid} (since {since})" if since else f"process {pid}"
