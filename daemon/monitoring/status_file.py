"""What the daemon says of itself: a small file in the root, written by it while it lives, read by `foodsort status`.

The group that may read the root may read it, though not the inbox's claim folder. It keeps its size and is overwritten in
place, so a full disk does not silence it; a reader that meets half a state reads again. That somebody lives is told by
a lock on it, which the kernel drops with its holder: a number of a process may be another's by now.
"""

import fcntl
import json
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from models.errors import FoodsortError

FILE = "foodsort.status.json"
SIZE_BYTES = 32 << 10

StatusDocument = dict[str, Any]
"""The keys, in this order; times are UTC, ISO 8601, and null stands for what is not known.

alive: whether a daemon runs; pid, since: of it, or of the last one.
state: starting, watching (events tell everything), polling (they don't), waiting (for trouble to pass), stopping, stopped.
waiting_for: null, or what, since, attempt, next_try.
queue: inbox (files there that the daemon has listed, 10,000 or little more at most), in_flight (claimed, not filed yet).
more_waiting: whether the inbox may hold more than that, since a listing is under way. oldest_waiting: null, or path, since.
photos: food, non_food, unsure, duplicate, failed: filed in this life. rate_per_min: filed in the last minute.
slowest_stage: decode, look_up (in the database), classify or file, whichever worked longest in the last five minutes.
model, engine: names.
drift: null while photos are few, or photos, stability (index), food, unsure, expected_food, expected_unsure (shares), shifted.
events: kind (inotify or polling), why. last_errors: up to 10 of at, kind, path, message, newest first.
"""

EMPTY: StatusDocument = {
    "alive": False,
    "pid": None,
    "since": None,
    "state": "stopped",
    "waiting_for": None,
    "queue": {"inbox": 0, "in_flight": 0},
    "more_waiting": False,
    "oldest_waiting": None,
    "photos": {"food": 0, "non_food": 0, "unsure": 0, "duplicate": 0, "failed": 0},
    "rate_per_min": 0,
    "slowest_stage": None,
    "model": None,
    "engine": None,
    "drift": None,
    "events": None,
    "last_errors": [],
}
_TRIES = 20


class StatusFile:
    """The file as the daemon writes it. Nothing of it ever raises: no photo waits for a status."""

    def __init__(self, root: Path) -> None:
        self._path = root / FILE
        self._fd = -1
        self._last = b""
        self._locked = False

    def write(self, state: StatusDocument) -> None:
        """Writes a state, if it is news."""
        body = _packed(state)
        if body == self._last and self._locked:
            return
        with suppress(OSError):
            if self._fd < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._fd = os.open(self._path, flags, 0o644)
            if not self._locked:  # a reader holds it for a moment now and then
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._locked = True
            os.pwrite(self._fd, body, 0)
            self._last = body

    def close(self) -> None:
        """Ends the life that the lock tells of."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read(root: Path, inbox: Path) -> StatusDocument:
    """What is known of the daemon of a root, all of EMPTY's keys.

    Raises FoodsortError when there is no such root, OSError when it may not be read.
    """
    if not root.is_dir():
        raise FoodsortError(f"{root} is no folder; `foodsort init {root}` makes one")
    try:
        fd = os.open(root / FILE, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:  # it cannot be made where the root is read-only, so the inbox's lock is asked
        from daemon.inbox.lock import holder  # brings the database's library, for which a status need not wait

        with suppress(OSError):
            return EMPTY | ({"alive": True, "state": None} if holder(inbox) else {})
        return EMPTY
    try:
        alive = _locked(fd)
        state = _unpacked(fd)
    finally:
        os.close(fd)
    if alive:
        return EMPTY | {"state": None} | state | {"alive": True}
    return EMPTY | state | {"alive": False, "state": "stopped", "waiting_for": None}


def _packed(state: StatusDocument) -> bytes:
    """One line of JSON, one with its checksum, and blanks up to the size of the file."""
    errors = list(state["last_errors"])
    while True:
        body = json.dumps(state | {"last_errors": errors}, ensure_ascii=False).encode(errors="backslashreplace")
        if len(body) + 10 <= SIZE_BYTES or not errors:
            return b"%s\n%08x\n" % (body, zlib.crc32(body)) + b" " * (SIZE_BYTES - len(body) - 10)
        errors.pop()


def _unpacked(fd: int) -> StatusDocument:
    """The state in a file; an empty one when the disk was too full for any."""
    for _ in range(_TRIES):
        body, _, rest = os.pread(fd, SIZE_BYTES, 0).partition(b"\n")
        if rest[:8] == b"%08x" % zlib.crc32(body):
            return dict(json.loads(body))
        time.sleep(0.01)  # half old, half new
    return {}


def _locked(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(fd, fcntl.LOCK_UN)
    return False
