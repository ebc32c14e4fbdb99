"""One daemon an inbox, one call at a time that moves sorted photos: locks that the kernel drops when their holder dies."""

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

_NAME, _BACK = b"lock", b"back.lock"
_POLL_S = 0.05


class InboxLock:
    """Holds `<inbox>/.foodsort/lock` from when it is made until it is released."""

    def __init__(self, inbox: int, path: Path) -> None:
        """inbox: descriptor of the folder `path`. Raises FoodsortError that says who holds the lock, OSError."""
        self._fd = _opened(inbox, _NAME, path)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, b"%d\n%s\n" % (os.getpid(), format_time(datetime.now(UTC)).encode()), 0)
        except BlockingIOError:
            message = f"{_said(self._fd)} sorts {path} already; stop it first, or let it do the work"
            os.close(self._fd)
            raise FoodsortError(message) from None  # not trouble that passes by itself
        except OSError:
            os.close(self._fd)
            raise

    def release(self) -> None:
        """Lets the next one in."""
        os.close(self._fd)


@contextmanager
def action_lock(
    inbox: int, path: Path, *, timeout_s: float | None = None, on_wait: Callable[[], None] = lambda: None
) -> Iterator[bool]:
    """Holds `<inbox>/.foodsort/back.lock`, which every process holds while it moves sorted photos.

    Args:
        inbox: Descriptor of the folder `path`.
        path: The inbox, for messages.
        timeout_s: How long to wait for another holder (s); None waits until that one is done.
        on_wait: Called once when another process holds the lock.

    Yields:
        Whether the lock was acquired.

    Raises:
        FoodsortError: Something else is in the place of the lock's folder.
        OSError: The lock cannot be opened.
    """
    fd = _opened(inbox, _BACK, path)
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
    while time.monotonic() < end:  # flock(2) has no timeout
        time.sleep(_POLL_S)
        if _try_lock(fd):
            return True
    return False


def holder(path: Path) -> str | None:
    """Who sorts the inbox `path`, such as `process 17 (since …)`; None when nobody does. Takes nothing.

    Raises OSError when that can't be seen, for want of rights or because there is no such inbox.
    """
    try:
        fd = os.open(path / os.fsdecode(PRIVATE) / os.fsdecode(_NAME), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _said(fd)
    finally:
        os.close(fd)
    return None


def _opened(inbox: int, name: bytes, path: Path) -> int:
    """Descriptor of a lock, made if missing. Raises FoodsortError when something else is in its folder's place, OSError."""
    try:
        with suppress(FileExistsError):
            os.mkdir(PRIVATE, 0o700, dir_fd=inbox)
        # By descriptor: where a member of the group puts a link, nothing is opened elsewhere.
        with dirfd.open_folder(inbox, PRIVATE) as private:
            return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=private)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.EISDIR, errno.ELOOP}:
            named = path / os.fsdecode(PRIVATE) / os.fsdecode(name)
            raise OSError(error.errno, error.strerror, str(named)) from error
        raise FoodsortError(f"{path}/.foodsort is not the folder that foodsort makes; move it away") from error


def _said(fd: int) -> str:
    pid, _, since = os.pread(fd, 64, 0).decode(errors="replace").strip().partition("\n")
    return f"process {pid} (since {since})" if since else f"process {pid}"
