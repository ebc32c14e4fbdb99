"""The inbox as a folder on the disk that is ours: open, locked, and still the one that its path names."""

import os
from pathlib import Path

from daemon.inbox.claims import Claims
from daemon.inbox.lock import InboxLock
from daemon.retry import Retrier
from models.errors import FoodsortError

REOPEN_EVERY_S = 1.0
"""Seconds between two tries to hold an inbox again."""


class InboxHandle:
    """Holds an inbox. Used by one thread."""

    def __init__(self, path: Path, *, lock: bool) -> None:
        """Raises FoodsortError when somebody else holds it, OSError when it cannot be opened."""
        self.path = path
        self.claims = Claims(path)
        self._wanted = lock
        self._lock: InboxLock | None = None
        self._mounted = path.is_mount()
        self._take_lock()

    def lost_reason(self) -> str | None:
        """Why what is held is no longer the folder at its path: removed, moved, unmounted, mounted over. None: it is.

        After `close` it is lost until it is taken again.
        """
        if not self.is_open:
            return "nothing is held"
        try:
            there = os.stat(self.path)
        except OSError as error:
            return error.strerror or str(error)
        held = os.fstat(self.claims.inbox_fd)
        same = (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
        return None if same else "another folder is at its place"

    def close(self) -> None:
        """Closes what is held, which nobody may use any more; twice does no harm."""
        self.claims.close()
        if self._lock:
            self._lock.release()
            self._lock = None

    @property
    def is_open(self) -> bool:
        """Whether it is held, be it at its path or elsewhere by now; not so after `close`."""
        return self.claims.inbox_fd >= 0

    def reopen(self, patience: Retrier) -> bool:
        """After `close`: holds the folder at the path if there is one that can be; else that is noted as trouble."""
        try:
            self._reopen()
        except (OSError, FoodsortError) as error:
            patience.note("inbox", f"the inbox {self.path} is gone: {error}", REOPEN_EVERY_S)
            return False
        patience.clear("inbox")
        return True

    def _reopen(self) -> None:
        """Holds the folder that is at the path now.

        It is never made here: where a mount is missing, photos would vanish below it once it is back. For the same reason
        what was a mount has to be one again. Raises FoodsortError, OSError.
        """
        if self._mounted and not self.path.is_mount():
            raise FileNotFoundError(2, "nothing is mounted there", str(self.path))
        self.claims.open(self.path)
        self._take_lock()

    def _take_lock(self) -> None:
        try:
            if self._wanted:
                self._lock = InboxLock(self.claims.inbox_fd, self.path)
        except BaseException:
            self.claims.close()
            raise
