"""The files of the inbox that wait in memory, in the order in which they are due."""

import heapq
import itertools
from dataclasses import dataclass

from daemon.inbox.stamp import FileStamp

WINDOW = 10_000
"""Maximum number of files that wait in memory, however many are in the inbox."""


@dataclass(slots=True)
class WaitingFile:
    """A file that is not ready yet.

    Attributes:
        since: Time from which it has to be stable (monotonic s).
        wait_s: How long it has to be stable (s).
        stamp: Its last stamp; None after an event, when any stamp is accepted.
        writing: Whether it is open for writing.
        scanned: Whether a scan found it, so that it takes part of the scan's half of the window.
        returned: Whether foodsort itself moved it back to the inbox.
    """

    since: float
    wait_s: float
    stamp: FileStamp | None = None
    writing: bool = False
    scanned: bool = False
    returned: bool = False

    @property
    def due_at(self) -> float:
        """Time at which it is due (monotonic s)."""
        return self.since + self.wait_s


class Window:
    """A window on the inbox: the waiting files by their paths, and a queue of their due times (monotonic s).

    During a scan, one half of the window is for files that the scan finds and the other half for files of events, so
    that neither excludes the other; otherwise events may fill the whole window. A file without room is left to the next
    scan. So the oldest file, which comes first, is the one that has been in the window longest: little memory is not
    enough to sort a million files, and their own times are whatever their writers set.
    """

    def __init__(self, size: int) -> None:
        """Creates an empty window for `size` files, at least 2; `add` accepts more."""
        self._size = size
        self._scanned_count = 0
        self._files: dict[bytes, WaitingFile] = {}
        self._queue: list[tuple[float, int, bytes]] = []
        self._tie_breaker = itertools.count()

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, path: bytes) -> bool:
        return path in self._files

    @property
    def scan_room(self) -> int:
        """Number of new files that a scan may add."""
        return max(0, min(self._size - len(self._files), self._size // 2 - self._scanned_count))

    def has_room(self, *, scanning: bool) -> bool:
        """Whether there is room for the new file of an event.

        Args:
            scanning: Whether a scan is under way, which half of the window is for.
        """
        limit = self._size // 2 if scanning else self._size
        return len(self._files) - self._scanned_count < limit and len(self._files) < self._size

    @property
    def oldest(self) -> tuple[bytes, float] | None:
        """The file that has waited longest, and since when. Takes a while when many files wait."""
        oldest = min(self._files.items(), key=lambda item: item[1].since, default=None)
        return oldest and (oldest[0], oldest[1].since)

    @property
    def writing(self) -> list[bytes]:
        """The files that are open for writing."""
        return [path for path, waiting in self._files.items() if waiting.writing]

    def get(self, path: bytes) -> WaitingFile | None:
        """Returns a file, None when it does not wait."""
        return self._files.get(path)

    def clear(self) -> None:
        """Removes all files."""
        self._files.clear()
        self._queue.clear()
        self._scanned_count = 0

    def add(self, path: bytes, waiting: WaitingFile) -> None:
        """Adds or replaces a file, even if there is no room."""
        prior = self._files.get(path)
        self._scanned_count += waiting.scanned - (prior is not None and prior.scanned)
        self._files[path] = waiting
        # A file that is written in many small pieces keeps its one place in the queue, unless it is due earlier now.
        if prior is None or waiting.due_at < prior.due_at:
            self.push(path, waiting)

    def drop(self, path: bytes) -> None:
        """Removes a file if it waits."""
        waiting = self._files.pop(path, None)
        self._scanned_count -= waiting is not None and waiting.scanned

    def push(self, path: bytes, waiting: WaitingFile) -> None:
        """Puts a file that `pop_due` returned into the queue again."""
        heapq.heappush(self._queue, (waiting.due_at, next(self._tie_breaker), path))
        if len(self._queue) > 2 * max(len(self._files), self._size):  # most entries are of files that left
            self._queue = [(file.due_at, next(self._tie_breaker), path) for path, file in self._files.items()]
            heapq.heapify(self._queue)

    def pop_due(self, now: float) -> bytes | None:
        """Takes the file out of the queue that was due first; None when none is due."""
        while self._queue and self._queue[0][0] <= now:
            _, _, path = heapq.heappop(self._queue)
            waiting = self._files.get(path)
            if waiting is None:
                continue
            if waiting.due_at <= now:
                return path
            self.push(path, waiting)
        return None

    def next_due_at(self) -> float | None:
        """Returns the latest time at which to call `pop_due` again, None when no file waits."""
        return self._queue[0][0] if self._queue else None
