"""Which files of the inbox are ready. Pure: it is told what was seen and when, and says which files to look at next."""

import fnmatch
import heapq
import itertools
import os
from dataclasses import dataclass
from typing import NamedTuple

IGNORED = (
    ".*",  # .DS_Store, ._*, .stfolder, .foodsort and the hidden names that rsync and others write to
    "*.part",
    "*.tmp",
    "*.crdownload",
    "*.filepart",
    "thumbs.db",
    "desktop.ini",
    "@eadir",
    "__macosx",
)


REFUSED_S = 600.0
"""How long a file that may not be read or moved is left alone, unless it changes before (s)."""


class Ignore:
    """Which names are nobody's photos, and nobody's folders of photos, by shell patterns, whatever their case."""

    def __init__(self, more: tuple[str, ...] = ()) -> None:
        self._patterns = (*IGNORED, *(pattern.lower() for pattern in more))

    def __call__(self, name: bytes) -> bool:
        """Whether one name is ignored."""
        lower = os.fsdecode(name).lower()
        return any(fnmatch.fnmatchcase(lower, pattern) for pattern in self._patterns)

    def path(self, path: bytes) -> bool:
        """Whether any part of a relative path is ignored."""
        return any(map(self, path.split(b"/")))


class Look(NamedTuple):
    """What a stat said of a file; two equal looks with quiet time between them mean that nobody writes."""

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    device: int = 0  # a file's own: on overlayfs it is not that of the folder

    @classmethod
    def of(cls, stat: os.stat_result) -> "Look":
        """The part of a stat that tells."""
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns, stat.st_dev)

    @property
    def identity(self) -> str:
        """Device and inode, which a rename keeps."""
        return f"{self.device}:{self.inode}"


class Ready(NamedTuple):
    """A file that may be claimed. still_since: when it was last seen changing (monotonic s).

    overdue: it was being written and never closed, but nothing has changed for so long that it is taken anyway.
    """

    path: bytes
    look: Look
    still_since: float
    overdue: bool


@dataclass
class _Waiting:
    since: float
    wait_s: float
    look: Look | None = None  # None: an event vouches for what happened since, so any look will do
    writing: bool = False

    @property
    def due(self) -> float:
        return self.since + self.wait_s


class Inbox:
    """The files that are waiting, each with the time at which it may be ready. All times are monotonic seconds."""

    def __init__(self, settle_s: float, open_s: float, empty_s: float) -> None:
        self._settle_s, self._open_s, self._empty_s = settle_s, open_s, empty_s
        self._waiting: dict[bytes, _Waiting] = {}
        self._refused: dict[bytes, tuple[Look, float]] = {}
        self._held: dict[bytes, Look] = {}
        self._queue: list[tuple[float, int, bytes]] = []
        self._tie = itertools.count()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def refused(self) -> int:
        """How many files stay because they cannot be read or moved."""
        return len(self._refused)

    @property
    def oldest(self) -> tuple[bytes, float] | None:
        """The file that has waited longest, and since when."""
        waiting = min(self._waiting.items(), key=lambda item: item[1].since, default=None)
        return waiting and (waiting[0], waiting[1].since)

    def forget(self) -> None:
        """The folder is another one now."""
        self._waiting.clear()
        self._refused.clear()
        self._held.clear()
        self._queue.clear()

    def events_lost(self) -> None:
        """What was being written may have been closed unheard; a look will find it, and two looks will tell."""
        for path in [path for path, waiting in self._waiting.items() if waiting.writing]:
            del self._waiting[path]

    def found(self, path: bytes, look: Look, now: float) -> None:
        """A look at the folder found the file; whether somebody is writing it is unknown."""
        waiting = self._waiting.get(path)
        if self._left_alone(path, look, now) or self._held.get(path) == look:
            return
        if waiting is None:
            self._wait(path, _Waiting(now, self._settle_s, look))
        elif waiting.look is not None and waiting.look != look:
            waiting.since, waiting.look = now, look

    def modified(self, path: bytes, now: float) -> None:
        """An event says that the file is being written."""
        self._wait(path, _Waiting(now, self._open_s, writing=True))

    def closed(self, path: bytes, now: float) -> None:
        """An event says that a writer closed the file. Some writers open it again, so the quiet time starts here."""
        self._wait(path, _Waiting(now, self._settle_s))

    def moved_in(self, path: bytes, look: Look, now: float) -> None:
        """An event says that the file was renamed to here, so it was whole before it came.

        When it looks like one that waits already, it is the one that we put back ourselves, and goes on waiting.
        """
        waiting = self._waiting.get(path)
        if waiting is None or waiting.look != look:
            self._wait(path, _Waiting(now, 0.0, look))

    def put_back(self, path: bytes, look: Look, since: float, wait_s: float) -> None:
        """We put a file back that looked like `look` since `since` and is to stand still for `wait_s`."""
        self._wait(path, _Waiting(since, wait_s, look))

    def put_back_open(self, path: bytes, look: Look, now: float) -> None:
        """We put a file back because somebody has it open for writing."""
        self._wait(path, _Waiting(now, self._open_s, look, writing=True))

    def gone(self, path: bytes) -> None:
        """The file is no longer here: taken, removed, or renamed to elsewhere."""
        self._waiting.pop(path, None)
        self._refused.pop(path, None)
        self._held.pop(path, None)

    @property
    def held(self) -> dict[bytes, Look]:
        """The files that stay because a person took them back to here, and how they look."""
        return self._held.copy()

    def hold(self, path: bytes, look: Look) -> None:
        """Leaves a file alone until it changes or is released."""
        self._held[path] = look

    def release(self, path: bytes) -> None:
        """Lets the next look at the folder find a held file."""
        self._held.pop(path, None)

    def refuse(self, path: bytes, look: Look, now: float) -> bool:
        """Leaves a file alone until it changes, or a long time has passed. Returns whether that is news."""
        self._waiting.pop(path, None)
        known = self._refused.get(path)
        self._refused[path] = (look, now)
        return known is None or known[0] != look

    def due(self, now: float) -> bytes | None:
        """The next file to take a fresh look at, longest waiting first, if any's time has come."""
        while self._queue and self._queue[0][0] <= now:
            _, _, path = heapq.heappop(self._queue)
            waiting = self._waiting.get(path)
            if waiting is None:
                continue
            if waiting.due <= now:
                return path
            self._push(path, waiting)
        return None

    def next_due(self) -> float | None:
        """When to ask `due` again at the latest."""
        return self._queue[0][0] if self._queue else None

    def judge(self, path: bytes, look: Look | None, now: float) -> Ready | None:
        """Says whether a file that is due and looks like `look` now (None: gone) is ready; if not, it waits on."""
        waiting = self._waiting.get(path)
        if waiting is None:
            return None
        if look is None:
            self.gone(path)
            return None
        if self._left_alone(path, look, now):  # an event came of our own putting it back
            del self._waiting[path]
            return None
        if waiting.look is not None and waiting.look != look:
            waiting.since, waiting.look = now, look
        elif look.size == 0 and now - waiting.since < self._empty_s:
            waiting.look, waiting.wait_s = look, self._empty_s
        else:
            del self._waiting[path]
            return Ready(path, look, waiting.since, waiting.writing)
        self._push(path, waiting)
        return None

    def _left_alone(self, path: bytes, look: Look, now: float) -> bool:
        known = self._refused.get(path)
        return known is not None and known[0] == look and now < known[1] + REFUSED_S

    def _wait(self, path: bytes, waiting: _Waiting) -> None:
        known = self._waiting.get(path)
        self._waiting[path] = waiting
        # A file that is written in many small pieces keeps its one place in the queue, unless it is due sooner now.
        if known is None or waiting.due < known.due:
            self._push(path, waiting)

    def _push(self, path: bytes, waiting: _Waiting) -> None:
        heapq.heappush(self._queue, (waiting.due, next(self._tie), path))
