"""The status file: the state of the daemon, written by the daemon and read by `foodsort status`.

Its permissions allow the group that may read the root, but not the claim folder of the inbox, to read it. The file keeps
its size and is overwritten in place, so that a full disk does not stop it; a checksum tells readers of half a write to
read again. The daemon holds a lock on the file, which the kernel releases at its end; a process id may belong to another
process after that.
"""

import fcntl
import json
import os
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypedDict, cast

from models.errors import FoodsortError

FILE = "foodsort.status.json"
SIZE_BYTES = 32 << 10
_ATTEMPTS = 20

State = Literal["starting", "watching", "polling", "waiting", "stopping", "stopped"]
"""`watching`: inotify reports all changes. `polling`: it does not. `waiting`: for trouble to pass."""


class RetryStatus(TypedDict):
    """Trouble that the daemon waits out.

    Attributes:
        what: Message of the error.
        since: Time of its first occurrence.
        attempt: Number of attempts so far.
        next_try: Time of the next attempt.
    """

    what: str
    since: str
    attempt: int
    next_try: str


class QueueStatus(TypedDict):
    """Numbers of photos that are not filed.

    Attributes:
        inbox: Listed files of the inbox, 10,000 or a little more at most.
        in_flight: Claimed photos.
    """

    inbox: int
    in_flight: int


class WaitingPhoto(TypedDict):
    """The photo that has waited longest.

    Attributes:
        path: Path in the inbox; a long one is shortened at its start.
        since: Start of its wait.
    """

    path: str
    since: str


class PhotoCounts(TypedDict):
    """Photos filed in this run, by destination."""

    food: int
    non_food: int
    unsure: int
    duplicate: int
    failed: int


class DriftStatus(TypedDict):
    """Drift of the newest photos.

    Attributes:
        photos: Number of newest photos.
        stability: Population stability index of their P(food).
        food: Share of food, in [0, 1].
        unsure: Share of photos between the thresholds, in [0, 1].
        expected_food: Share of food on the model's card.
        expected_unsure: Share of photos between the thresholds on the model's card.
        shifted: Whether the index is above its limit.
    """

    photos: int
    stability: float
    food: float
    unsure: float
    expected_food: float
    expected_unsure: float
    shifted: bool


class EventsStatus(TypedDict):
    """How the daemon notices new files.

    Attributes:
        kind: `inotify` or `polling`.
        why: Reason for polling; None for inotify.
    """

    kind: str
    why: str | None


class ErrorStatus(TypedDict):
    """A recent warning or error.

    Attributes:
        at: Time of its last occurrence.
        kind: Kind for programs.
        path: Path of the photo, if it is about one.
        message: Message for people.
    """

    at: str
    kind: str
    path: str | None
    message: str


class StatusDocument(TypedDict):
    """The status. Times are UTC, ISO 8601; None stands for unknown values.

    Attributes:
        alive: Whether a daemon runs.
        pid: Process id of the daemon, or of the last one.
        since: Start of the daemon, or of the last one.
        state: State of the daemon.
        waiting_for: Trouble that the daemon waits out.
        queue: Numbers of waiting photos.
        more_waiting: Whether the inbox may have more files than `queue` says, because a scan is under way.
        oldest_waiting: Photo that has waited longest.
        photos: Photos filed in this run.
        rate_per_min: Photos filed in the last minute.
        slowest_stage: Stage that worked longest in the last five minutes: `decode`, `look_up`, `classify` or `file`.
        model: Name of the model in use.
        engine: Name of the engine that runs it.
        drift: Drift of the newest photos; None while they are few.
        events: How the daemon notices new files.
        last_errors: Up to ten warnings and errors, newest first.
    """

    alive: bool
    pid: int | None
    since: str | None
    state: State | None
    waiting_for: RetryStatus | None
    queue: QueueStatus
    more_waiting: bool
    oldest_waiting: WaitingPhoto | None
    photos: PhotoCounts
    rate_per_min: int
    slowest_stage: str | None
    model: str | None
    engine: str | None
    drift: DriftStatus | None
    events: EventsStatus | None
    last_errors: list[ErrorStatus]


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
"""The status of a root without a daemon."""


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
        inbox: Its inbox, whose lock is asked when there is no status file.

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
