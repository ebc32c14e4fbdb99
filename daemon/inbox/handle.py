"""The inbox as a folder on disk: open, locked, and checked against its path."""

import errno
import os
from pathlib import Path

from daemon.inbox.claims import Claims
from daemon.inbox.lock import InboxLock
from daemon.retry import Retrier
from models.errors import FoodsortError

REOPEN_EVERY_S = 1.0
"""Seconds between two attempts to reopen an inbox."""


class InboxHandle:
    """An open inbox. Used by one thread.

    Attributes:
        path: Path of the inbox.
        claims: Its claim folder.
    """

    def __init__(self, path: Path, *, lock: bool, max_copy_bytes: int | None = None) -> None:
        """Opens an inbox.

        Args:
            path: Path of the inbox.
            lock: Whether to take its lock.
            max_copy_bytes: See `Claims`.

        Raises:
            FoodsortError: Another process holds the lock.
            OSError: The inbox cannot be opened.
        """
        self.path = path
        self.claims = Claims(path, max_copy_bytes)
        self._needs_lock = lock
        self._lock: InboxLock | None = None
        self._was_mount = path.is_mount()
        self._take_lock()

    @property
    def is_open(self) -> bool:
        """Whether the folder is open, even if it is no longer at its path."""
        return self.claims.inbox_fd >= 0

    def lost_reason(self) -> str | None:
        """Returns why the open folder is no longer at its path: removed, moved, unmounted or mounted over; else None."""
        if not self.is_open:
            return "it is closed"
        try:
            at_path = os.stat(self.path)
            opened = os.fstat(self.claims.inbox_fd)
        except OSError as error:
            return error.strerror or str(error)
        return None if os.path.samestat(at_path, opened) else "another folder is at its path"

    def close(self) -> None:
        """Closes the folder and releases the lock. May be called twice."""
        self.claims.close()
        if self._lock:
            self._lock.release()
            self._lock = None

    def reopen(self, retrier: Retrier) -> bool:
        """Opens the folder at the path again, after `close`.

        Args:
            retrier: Where a failure is reported; the caller tries again after REOPEN_EVERY_S.

        Returns:
            Whether the folder is open.
        """
        try:
            self._reopen()
        except (OSError, FoodsortError) as error:
            self.note_lost(retrier, str(error))
            return False
        retrier.clear(self)
        return True

    def note_lost(self, retrier: Retrier, reason: str) -> None:
        """Reports the inbox as gone until `reopen` succeeds."""
        retrier.note(self, f"the inbox {self.path} is gone: {reason}", REOPEN_EVERY_S)

    def _reopen(self) -> None:
        """Opens the folder but never creates it: photos would disappear below a mount that is missing and comes back.

        For the same reason, a former mount point has to be one again. Raises FoodsortError, OSError.
        """
        if self._was_mount and not self.path.is_mount():
            raise FileNotFoundError(errno.ENOENT, "nothing is mounted there", str(self.path))
        self.claims.open(self.path)
        self._take_lock()

    def _take_lock(self) -> None:
        try:
            if self._needs_lock:
                self._lock = InboxLock(self.claims.inbox_fd, self.path)
        except BaseException:
            self.claims.close()
            raise
