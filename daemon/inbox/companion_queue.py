"""The companions that wait in the inbox for their photos."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from daemon.inbox.readiness import ReadyFile
from daemon.inbox.stamp import FileStamp

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 15.0
_RAW_S = 60.0
"""Longest wait of a raw file for its JPEG: without one, it is a photo (s)."""


class Finding(NamedTuple):
    """The photo of a companion.

    Attributes:
        place: `inbox`: it is in the inbox or claimed. `undone`: it is in the inbox, to stay there. `row`: it was sorted.
            `none`: there is none yet.
        photo_id: Its row, if it was sorted.
        age_s: Time since it was sorted (s).
    """

    place: Literal["inbox", "undone", "row", "none"]
    photo_id: int = 0
    age_s: float = 0.0


def decide(found: Finding, waited_s: float, companion_s: float) -> Literal["wait", "stay", "follow", "release"]:
    """Decides about a companion.

    A camera may use a name again: an old photo is followed only if no new one comes in time.

    Args:
        found: Its photo.
        waited_s: How long it has waited (s).
        companion_s: How long it waits for its photo (s).

    Returns:
        `follow`: it moves to its photo. `stay`: it stays beside an undone photo. `release`: it is sorted by itself.
    """
    is_over = waited_s >= companion_s
    match found.place:
        case "inbox":
            return "wait"
        case "undone":
            return "stay"
        case "row":
            return "follow" if is_over or found.age_s < companion_s else "wait"
    return "release" if is_over else "wait"


@dataclass(slots=True)
class Waiting:
    """A companion that waits.

    Attributes:
        file: The file.
        since: When it was found (monotonic s).
        wait_s: How long it waits for its photo (s).
        due_at: When it is looked at again (monotonic s).
        pause_s: The next pause (s).
        stays_since: Number of files that had left the queue when it was decided that it stays; None: it does not.
    """

    file: ReadyFile
    since: float
    wait_s: float
    due_at: float
    pause_s: float = _FIRST_PAUSE_S
    stays_since: int | None = None


class CompanionQueue:
    """Companions by their paths in the inbox. Used by one thread.

    Attributes:
        hurries: Whether nothing is waited for any more, because a single run has nothing else to do.
    """

    def __init__(self, companion_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Creates an empty queue. companion_s: how long a companion waits for its photo (s)."""
        self._companion_s = companion_s
        self._clock = clock
        self._waiting: dict[bytes, Waiting] = {}
        self._released: dict[bytes, ReadyFile] = {}
        self._left = 0
        """Number of files that have left: one that stays may belong to one of them, as a sidecar to a raw file."""
        self.hurries = False

    def __len__(self) -> int:
        """Number of companions, without those that stay beside a photo in the inbox."""
        return sum(waiting.stays_since != self._left for waiting in self._waiting.values())

    def holds(self, path: bytes, stamp: FileStamp) -> bool:
        """Whether a file waits here already, unchanged."""
        waiting = self._waiting.get(path)
        return waiting is not None and waiting.file.stamp == stamp

    def add(self, file: ReadyFile, *, is_photo: bool = False) -> bool:
        """Adds a companion.

        Args:
            file: The file.
            is_photo: Whether it is a photo of its own if it belongs to no other one.

        Returns:
            Whether it waits; else it was released, and is to be sorted by itself.
        """
        released = self._released.get(file.path)
        if released is not None and released.stamp == file.stamp:
            return False
        self._released.pop(file.path, None)
        if not self.holds(file.path, file.stamp):
            now = self._clock()
            wait_s = min(self._companion_s, _RAW_S) if is_photo else self._companion_s
            self._waiting[file.path] = Waiting(file, since=now, wait_s=wait_s, due_at=now)
        return True

    def remove(self, path: bytes) -> None:
        """Removes a file that is no longer in the inbox."""
        self._waiting.pop(path, None)
        self._released.pop(path, None)

    def clear(self) -> None:
        """Removes all files, since the inbox is another folder now."""
        self._waiting.clear()
        self._released.clear()

    def due(self, limit: int) -> list[ReadyFile]:
        """Returns files to look at, at most `limit`; each needs `settle` or `remove`."""
        now = self._clock()
        due = (
            waiting.file
            for waiting in self._waiting.values()
            if waiting.due_at <= now or (self.hurries and waiting.stays_since != self._left)
        )
        return [file for file, _ in zip(due, range(limit), strict=False)]

    def next_due_at(self) -> float | None:
        """Returns the time of the next file to look at (monotonic s), None if none waits."""
        return min((waiting.due_at for waiting in self._waiting.values()), default=None)

    def settle(self, file: ReadyFile, found: Finding) -> Literal["wait", "stay", "follow", "release"]:
        """Decides about a file. One that follows or is released leaves the queue."""
        waiting = self._waiting[file.path]
        now = self._clock()
        decision = decide(found, now - waiting.since, 0.0 if self.hurries else waiting.wait_s)
        if self.hurries and decision == "wait":
            decision = "stay"  # its photo stays in the inbox: it cannot be read, for instance
        if decision in {"wait", "stay"}:
            waiting.stays_since = self._left if decision == "stay" else None
            waiting.due_at = now + waiting.pause_s
            waiting.pause_s = min(2 * waiting.pause_s, _LONGEST_PAUSE_S)
        else:
            del self._waiting[file.path]
            self._left += 1
        if decision == "release":
            self._released[file.path] = file
        return decision
