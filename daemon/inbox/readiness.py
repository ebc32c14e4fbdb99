"""Which files of the inbox are ready. Pure: it is told what was seen and when, and says which files to look at next."""

import heapq
import itertools
import os
from dataclasses import dataclass
from typing import Literal, NamedTuple

WINDOW = 10_000
"""How many files wait in memory at most, however many lie in the inbox."""
REFUSED_S = 600.0
"""How long a file that may not be read or moved is left alone, unless it changes before (s)."""


class FileStamp(NamedTuple):
    """What a stat said of a file; two equal looks with quiet time between them mean that nobody writes.

    ctime_ns: 0 for a file of several names (hard links), since it changes whenever another of the names does.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    device: int = 0  # a file's own: on overlayfs it is not that of the folder

    @classmethod
    def of(cls, stat: os.stat_result) -> "FileStamp":
        """The part of a stat that tells."""
        ctime_ns = 0 if stat.st_nlink > 1 else stat.st_ctime_ns
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino, ctime_ns, stat.st_dev)

    @property
    def linked(self) -> bool:
        """Whether the file has several names, each a photo of its own, so that its identity tells them not apart."""
        return not self.ctime_ns

    @property
    def identity(self) -> str:
        """Device and inode, which a rename keeps."""
        return f"{self.device}:{self.inode}"


class ReadyFile(NamedTuple):
    """A file that may be claimed. stable_since: when it was last seen changing (monotonic s).

    overdue: it was being written and never closed, but nothing has changed for so long that it is taken anyway.
    """

    path: bytes
    stamp: FileStamp
    stable_since: float
    overdue: bool


@dataclass(slots=True)
class _Waiting:
    since: float
    wait_s: float
    look: FileStamp | None = None  # None: an event vouches for what happened since, so any look will do
    writing: bool = False
    listed: bool = False

    @property
    def due_at(self) -> float:
        return self.since + self.wait_s


class ReadinessTracker:
    """The files that are waiting, each with the time at which it may be ready. All times are monotonic seconds.

    It is a window on the inbox. While the inbox is listed, one half of the window is for what the listing finds and the
    other for what events tell of, so that neither keeps the other out; else events may fill all of it. What finds no room is
    left out, to be found by the next listing. So the oldest file, which comes first, is the one that has been in the window
    longest: a million files can't be put in order in little memory, and their own times are whatever their writers made them.
    """

    def __init__(self, settle_s: float, open_s: float, empty_s: float, window: int = WINDOW) -> None:
        """window: how many files may wait, 2 at least; those that were taken and come back are let in beyond it."""
        self._settle_s, self._open_s, self._empty_s = settle_s, open_s, empty_s
        self._window = window
        self._listed = 0  # of those that wait
        self._waiting: dict[bytes, _Waiting] = {}
        self._refused: dict[bytes, tuple[int, float]] = {}
        self._queue: list[tuple[float, int, bytes]] = []
        self._tie = itertools.count()
        self.scanning = False
        """Whether a listing is under way."""
        self.rescan_needed = False
        """Whether events told of files that there was no room for, so that a listing is owed."""

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: bytes) -> bool:
        return path in self._waiting or path in self._refused

    @property
    def scan_room(self) -> int:
        """How many new files a listing may bring."""
        return max(0, min(self._window - len(self._waiting), self._window // 2 - self._listed))

    @property
    def refused_count(self) -> int:
        """How many files stay because they cannot be read or moved."""
        return len(self._refused)

    @property
    def oldest(self) -> tuple[bytes, float] | None:
        """The file that has waited longest, and since when. Looks through all of them."""
        waiting = min(self._waiting.items(), key=lambda item: item[1].since, default=None)
        return waiting and (waiting[0], waiting[1].since)

    def clear(self) -> None:
        """The folder is another one now."""
        self._waiting.clear()
        self._refused.clear()
        self._queue.clear()
        self._listed = 0
        self.scanning = self.rescan_needed = False

    def on_overflow(self) -> None:
        """What was being written may have been closed unheard; a look will find it, and two looks will tell."""
        for path in [path for path, waiting in self._waiting.items() if waiting.writing]:
            self._leave(path)

    def observe(
        self, path: bytes, look: FileStamp, now: float, source: Literal["event", "scan", "returned"] = "event"
    ) -> None:
        """A look found the file; whether somebody is writing it is unknown.

        source: what led to the look: an event; a listing, which asks for `room` before; or that we put the file back.
        """
        waiting = self._waiting.get(path)
        if self._left_alone(path, look, now):
            return
        if waiting is None:
            new = _Waiting(now, self._settle_s, look, listed=source == "scan")
            (self._tell if source == "event" else self._wait)(path, new)
        elif waiting.look is not None and waiting.look != look:
            waiting.since, waiting.look = now, look

    def on_modified(self, path: bytes, now: float) -> None:
        """An event says that the file is being written."""
        self._tell(path, _Waiting(now, self._open_s, writing=True))

    def on_closed(self, path: bytes, now: float) -> None:
        """An event says that a writer closed the file. Some writers open it again, so the quiet time starts here."""
        self._tell(path, _Waiting(now, self._settle_s))

    def on_moved_in(self, path: bytes, look: FileStamp, now: float) -> None:
        """An event says that the file was renamed to here, so it was whole before it came.

        When it looks like one that waits already, it is the one that we put back ourselves, and goes on waiting; unless a
        listing was quicker than the event.
        """
        waiting = self._waiting.get(path)
        if waiting is None or waiting.look != look or waiting.listed:
            self._tell(path, _Waiting(now, 0.0, look))

    def requeue(self, path: bytes, look: FileStamp, since: float, wait_s: float) -> None:
        """We put a file back that looked like `look` since `since` and is to stand still for `wait_s`."""
        self._wait(path, _Waiting(since, wait_s, look))

    def requeue_open(self, path: bytes, look: FileStamp, now: float) -> None:
        """We put a file back because somebody has it open for writing."""
        self._wait(path, _Waiting(now, self._open_s, look, writing=True))

    def remove(self, path: bytes) -> None:
        """The file is no longer here: taken, removed, or renamed to elsewhere."""
        self._leave(path)
        self._refused.pop(path, None)

    def refuse(self, path: bytes, look: FileStamp, now: float) -> bool:
        """Leaves a file alone until it changes, or a long time has passed. Returns whether that is news."""
        self._leave(path)
        known = self._refused.get(path)
        # A hash, since a million files that may not be moved are as likely as one, and each look takes ten times as much.
        self._refused[path] = (hash(look), now)
        return known is None or known[0] != hash(look)

    def pop_due(self, now: float) -> bytes | None:
        """The next file to take a fresh look at, longest waiting first, if any's time has come."""
        while self._queue and self._queue[0][0] <= now:
            _, _, path = heapq.heappop(self._queue)
            waiting = self._waiting.get(path)
            if waiting is None:
                continue
            if waiting.due_at <= now:
                return path
            self._push(path, waiting)
        return None

    def next_due_at(self) -> float | None:
        """When to ask `due` again at the latest."""
        return self._queue[0][0] if self._queue else None

    def check(self, path: bytes, look: FileStamp | None, now: float) -> ReadyFile | None:
        """Says whether a file that is due and looks like `look` now (None: gone) is ready; if not, it waits on."""
        waiting = self._waiting.get(path)
        if waiting is None:
            return None
        if look is None:
            self.remove(path)
            return None
        if self._left_alone(path, look, now):  # an event came of our own putting it back
            self._leave(path)
            return None
        if waiting.look is not None and waiting.look != look:
            waiting.since, waiting.look = now, look
        elif look.size == 0 and now - waiting.since < self._empty_s:
            waiting.look, waiting.wait_s = look, self._empty_s
        else:
            self._leave(path)
            return ReadyFile(path, look, waiting.since, waiting.writing)
        self._push(path, waiting)
        return None

    def _left_alone(self, path: bytes, look: FileStamp, now: float) -> bool:
        known = self._refused.get(path)
        return known is not None and known[0] == hash(look) and now < known[1] + REFUSED_S

    def _tell(self, path: bytes, waiting: _Waiting) -> None:
        """Takes what an event tells, unless the file is new and there is no room for it."""
        told = len(self._waiting) - self._listed
        most = self._window // 2 if self.scanning else self._window
        if path in self._waiting or (told < most and len(self._waiting) < self._window):
            self._wait(path, waiting)
        else:
            self.rescan_needed = True

    def _leave(self, path: bytes) -> None:
        waiting = self._waiting.pop(path, None)
        self._listed -= waiting is not None and waiting.listed

    def _wait(self, path: bytes, waiting: _Waiting) -> None:
        known = self._waiting.get(path)
        self._listed += waiting.listed - (known is not None and known.listed)
        self._waiting[path] = waiting
        # A file that is written in many small pieces keeps its one place in the queue, unless it is due sooner now.
        if known is None or waiting.due_at < known.due_at:
            self._push(path, waiting)

    def _push(self, path: bytes, waiting: _Waiting) -> None:
        heapq.heappush(self._queue, (waiting.due_at, next(self._tie), path))
        if len(self._queue) > 2 * max(len(self._waiting), self._window):  # most are of files that left long before
            self._queue = [(one.due_at, next(self._tie), path) for path, one in self._waiting.items()]
            heapq.heapify(self._queue)
