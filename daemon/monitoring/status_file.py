"""The status file: the status document on disk, written by the daemon and read by `foodsort status`.

Its permissions allow the group that may read the root, but not the claim folder of the inbox, to read it. The file
keeps its size and is overwritten in place, so that a full disk does not stop it; a checksum tells readers of half a
write to read again. The daemon holds a lock on the file, which the kernel releases at its end; a process id may belong
to another process after that.
"""

import fcntl
import json
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from daemon.monitoring.status_document import EMPTY, StatusDocument
from models.errors import FoodsortError

FILE = "foodsort.status.json"
SIZE_BYTES = 32 << 10
_ATTEMPTS = 20


class StatusFile:
    """Writes the status file of a root. It never raises: no photo waits for a status."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._fd = -1
        self._written = b""
        self._locked = False

    def write(self, status: StatusDocument) -> None:
        """Writes a status, unless the file has it already."""
        content = _pack(status)
        if content == self._written and self._locked:
            return
        with suppress(OSError):
            if self._fd < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._fd = os.open(self._path, flags, 0o644)
            if not self._locked:  # a reader may hold it for a moment
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._locked = True
            os.pwrite(self._fd, content, 0)
            self._written = content

    def close(self) -> None:
        """Releases the lock, which ends the run for readers."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(root: Path, inbox: Path) -> StatusDocument:
    """Reads the status of a root.

    Args:
        root: The root.
        inbox: Its inbox, whose lock is read if there is no status file.

    Returns:
        The status, with all keys.

    Raises:
        FoodsortError: There is no such root.
        OSError: The file cannot be read.
    """
    if not root.is_dir():
        raise FoodsortError(f"{root} is no folder; `foodsort init {root}` makes one")
    try:
        fd = os.open(root / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # a daemon on a read-only root cannot create it
        from daemon.inbox.lock import holder  # imports the database's library, which a status does not need

        with suppress(OSError):
            return EMPTY | ({"alive": True, "state": None} if holder(inbox) else {})
        return EMPTY
    try:
        alive = _is_locked(fd)
        status = _unpack(fd)
    finally:
        os.close(fd)
    if alive:
        return cast(StatusDocument, {**EMPTY, "state": None, **status, "alive": True})
    return cast(StatusDocument, {**EMPTY, **status, "alive": False, "state": "stopped", "waiting_for": None})


def _pack(status: StatusDocument) -> bytes:
    """Returns a line of JSON, a line with its checksum, and blanks up to the size of the file."""
    errors = list(status["last_errors"])
    while True:
        body = json.dumps({**status, "last_errors": errors}, ensure_ascii=False).encode(errors="backslashreplace")
        if len(body) + 10 <= SIZE_BYTES or not errors:
            return b"%s\n%08x\n" % (body, zlib.crc32(body)) + b" " * (SIZE_BYTES - len(body) - 10)
        errors.pop()


def _unpack(fd: int) -> dict[str, Any]:
    """Returns the keys that the file has; none when the disk was too full to write any."""
    for _ in range(_ATTEMPTS):
        body, _, rest = os.pread(fd, SIZE_BYTES, 0).partition(b"\n")
        if rest[:8] == b"%08x" % zlib.crc32(body):
            return dict(json.loads(body))
        time.sleep(0.01)  # half of it is from the next write
    return {}


def _is_locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
