"""The file in which `foodsort results --cursor` keeps the position of its reader."""

import errno
import fcntl
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from daemon.queries.positions import Position
from models.errors import FoodsortError

_FORMAT = 1
_SAVE_EVERY_S = 0.2  # a sync of the disk takes milliseconds


class CursorFile:
    """The position of one reader. Its file is always complete, and no other process uses it at the same time."""

    def __init__(self, path: Path) -> None:
        """Opens the file, or makes one with the position before the first change.

        Args:
            path: Path of the file.

        Raises:
            FoodsortError: Its contents are no position, another process uses it, or its folder cannot be written.
        """
        self._path = path
        self._fd: int | None = None
        self._saved_at = 0.0
        try:
            self._fd = self._open()
            self.position = Position() if self._fd is None else self._read(self._fd)
            self._write(self.position)
        except OSError as error:
            self.close()
            raise self._failure(error) from error
        except FoodsortError:
            self.close()
            raise

    @property
    def is_due(self) -> bool:
        """Whether the last position was not saved a moment ago."""
        return time.monotonic() > self._saved_at + _SAVE_EVERY_S

    def save(self, position: Position | None) -> None:
        """Saves a position, unless it is None or saved already.

        Raises:
            FoodsortError: The disk is full, for instance. The file then has the position before.
        """
        if position is None or position == self.position:
            return
        try:
            self._write(position)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Closes the file, so that another process may use it."""
        if self._fd is not None:
            os.close(self._fd)
        self._fd = None

    def _open(self) -> int | None:
        """Opens and locks the file; None if there is none. Raises FoodsortError, OSError."""
        while True:
            try:
                fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except FileNotFoundError:
                return None
            try:
                self._lock(fd)
                if self._is_current(fd):  # otherwise another process has replaced it before its end
                    return fd
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _read(self, fd: int) -> Position:
        with os.fdopen(os.dup(fd), "rb") as file:
            data = file.read()
        try:
            return _parse(json.loads(data))
        except (ValueError, KeyError, TypeError) as error:
            raise FoodsortError(
                f"{self._path} is no cursor of foodsort, or it is damaged; name another file, or delete it to begin with"
                " the first photo again"
            ) from error

    def _write(self, position: Position) -> None:
        """Replaces the file. Raises FoodsortError, OSError."""
        # Ctrl-C waits: between two steps it would leave a file of which this process does not know that it is its own.
        interrupts: list[int] = []
        before = signal.signal(signal.SIGINT, lambda number, _: interrupts.append(number))
        try:
            self._replace(position)
        finally:
            signal.signal(signal.SIGINT, before)
        if interrupts:
            signal.raise_signal(signal.SIGINT)

    def _replace(self, position: Position) -> None:
        """Replaces the file by a complete one, which is locked before it gets the name."""
        part = self._path.with_name(f".{self._path.name}.part")
        fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            self._lock(fd)
            os.ftruncate(fd, 0)
            with open(fd, "w", encoding="ascii", closefd=False) as file:
                file.write(json.dumps({"format": _FORMAT} | position._asdict()) + "\n")
            # After a power cut the file has this position or the one before, so the folder needs no sync.
            os.fsync(fd)
            if self._path.exists() and not self._is_current(self._fd):
                raise self._in_use()
            os.rename(part, self._path)
        except BaseException:
            os.close(fd)
            raise
        self.close()
        self._fd = fd
        self.position = position
        self._saved_at = time.monotonic()

    def _lock(self, fd: int) -> None:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise self._in_use() from error
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP}:  # a network drive without locks
                raise

    def _is_current(self, fd: int | None) -> bool:
        """Whether the file of a descriptor still has the name."""
        try:
            return fd is not None and os.path.samestat(os.fstat(fd), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _in_use(self) -> FoodsortError:
        return FoodsortError(f"another process uses the cursor {self._path}; give each reader a file of its own")

    def _failure(self, error: OSError) -> FoodsortError:
        return FoodsortError(
            f"the cursor {self._path} cannot be used: {error.strerror}; mend that and start again: reading goes on"
            " after the last saved position"
        )


def _parse(document: Any) -> Position:
    """Returns the position in a document. Raises ValueError, KeyError, TypeError."""
    if document["format"] != _FORMAT:
        raise ValueError(document["format"])
    missing = tuple((int(first), int(last)) for first, last in document["missing"])
    return Position(str(document["database"]), int(document["change"]), int(document["photo"]), missing)
