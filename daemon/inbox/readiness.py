"""Which files of the inbox are ready. Pure: observations and times go in, the next files to check come out."""

import heapq
import itertools
import os
from dataclasses import dataclass
from typing import Literal, NamedTuple

WINDOW = 10_000
"""Maximum number of files that wait in memory, however many are in the inbox."""
REFUSED_S = 600.0
"""Time after which a refused file is tried again even if it has not changed (s)."""


class FileStamp(NamedTuple):
    """The part of a stat that changes when a file is written. A file is stable if two stamps some time apart are equal.

    Attributes:
        size: Size in bytes.
        mtime_ns: Time of the last change to the contents.
        inode: Inode number.
        ctime_ns: Time of the last change to the inode; 0 for a file with several names (hard links), since it changes
            with every change to another name.
        device: Device number of the file itself; on overlayfs it is not that of the folder.
    """

    size: int
    mtime_ns: int
    inode: int
    ctime_ns: int
    device: int = 0

    @classmethod
    def of(cls, stat: os.stat_result) -> "FileStamp":
        """Returns the stamp of a stat."""
        return cls(
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            inode=stat.st_ino,
            ctime_ns=0 if stat.st_nlink > 1 else stat.st_ctime_ns,
            device=stat.st_dev,
        )

    @property
    def linked(self) -> bool:
        """Whether the file has several names; each is a photo of its own, and they share the identity."""
        return not self.ctime_ns

    @property
    def identity(self) -> str:
        """Device and inode, which a rename does not change."""
        return f"{self.device}:{self.inode}"

    def same_except_ctime(self, other: "FileStamp") -> bool:
        """Whether size, mtime and inode are equal; a rename changes the ctime."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)


class ReadyFile(NamedTuple):
    """A file that may be claimed.

    Attributes:
        path: Path relative to the inbox.
        stamp: Its stamp when it became ready.
        stable_since: Time of its last known change (monotonic s).
        overdue: Whether it was opened for writing and not closed, but has not changed for so long that it is ready anyway.
    """

    path: bytes
    stamp: FileStamp
    stable_since: float
    overdue: bool


@dataclass(slots=True)
class _WaitingFile:
    """A file that is not ready yet.

    Attributes:
        since: Time from which it has to be stable (monotonic s).
        wait_s: How long it has to be stable (s).
        stamp: Its last stamp; None after an event, when any stamp is accepted.
        writing: Whether it is open for writing.
        scanned: Whether a scan found it, so that it takes part of the scan's half of the window.
    """

    since: float
    wait_s: float
    stamp: FileStamp | None = None
    writing: bool = False
    scanned: bool = False

    @property
    def due_at(self) -> float:
        return self.since + self.wait_s


class ReadinessTracker:
    """The files that wait, each with the time at which it may be ready. All times are monotonic seconds.

    It is a window on the inbox. During a scan, one half of the window is for files that the scan finds and the other
    half for files of events, so that neither excludes the other; otherwise events may fill the whole window. A file
    without room is left to the next scan. So the oldest file, which comes first, is the one that has been in the window
    longest: little memory is not enough to sort a million files, and their own times are whatever their writers set.

    Attributes:
        scanning: Whether a scan is under way.
        rescan_needed: Whether there was no room for the file of an event, so that another scan is needed.
    """

    def __init__(self, settle_s: float, open_s: float, empty_s: float, window: int = WINDOW) -> None:
        """Creates a tracker without files.

        Args:
            settle_s: How long a file has to be stable (s).
            open_s: How long a file that is open for writing has to be stable (s).
            empty_s: How long an empty file is given to be filled (s).
            window: Maximum number of files, at least 2. Files that were claimed and returned are accepted beyond it.
        """
        self._settle_s = settle_s
        self._open_s = open_s
        self._empty_s = empty_s
        self._window = window
        self._scanned_count = 0
        self._waiting: dict[bytes, _WaitingFile] = {}
        self._refused: dict[bytes, tuple[int, float]] = {}
        self._queue: list[tuple[float, int, bytes]] = []
        self._tie_breaker = itertools.count()
        self.scanning = False
        self.rescan_needed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: bytes) -> bool:
        return path in self._waiting or path in self._refused

    @property
    def scan_room(self) -> int:
        """Number of new files that a scan may add."""
        return max(0, min(self._window - len(self._waiting), self._window // 2 - self._scanned_count))

    @property
    def refused_count(self) -> int:
        """Number of files that cannot be read or moved."""
        return len(self._refused)

    @property
    def oldest(self) -> tuple[bytes, float] | None:
        """The file that has waited longest, and since when. Takes a while when many files wait."""
        oldest = min(self._waiting.items(), key=lambda item: item[1].since, default=None)
        return oldest and (oldest[0], oldest[1].since)

    def clear(self) -> None:
        """Removes all files, since the inbox is another folder now."""
        self._waiting.clear()
        self._refused.clear()
        self._queue.clear()
        self._scanned_count = 0
        self.scanning = False
        self.rescan_needed = False

    def on_overflow(self) -> None:
        """Handles lost events: a file may have been closed without an event, so a scan has to find it again."""
        for path in [path for path, waiting in self._waiting.items() if waiting.writing]:
            self._drop(path)

    def observe(
        self, path: bytes, stamp: FileStamp, now: float, source: Literal["event", "scan", "returned"] = "event"
    ) -> None:
        """Adds a file that exists; it is unknown whether a process writes it.

        Args:
            path: Path relative to the inbox.
            stamp: Its stamp.
            now: The time.
            source: How it was found: by an event; by a scan, which respects `scan_room`; or it was returned to the inbox.
        """
        if self._is_refused(path, stamp, now):
            return
        waiting = self._waiting.get(path)
        if waiting is None:
            new = _WaitingFile(since=now, wait_s=self._settle_s, stamp=stamp, scanned=source == "scan")
            if source == "event":
                self._add_by_event(path, new)
            else:
                self._add(path, new)
        elif waiting.stamp is not None and waiting.stamp != stamp:
            waiting.since = now
            waiting.stamp = stamp

    def on_modified(self, path: bytes, now: float) -> None:
        """Handles an event: the file is being written."""
        self._add_by_event(path, _WaitingFile(since=now, wait_s=self._open_s, writing=True))

    def on_closed(self, path: bytes, now: float) -> None:
        """Handles an event: a writer closed the file. Some writers open it again, so it has to be stable from now on."""
        self._add_by_event(path, _WaitingFile(since=now, wait_s=self._settle_s))

    def on_moved_in(self, path: bytes, stamp: FileStamp, now: float) -> None:
        """Handles an event: the file was renamed to this path, so it was complete before.

        A file with the stamp of a waiting one is the one that foodsort itself returned; it waits on. A file that a scan
        found before its event came is ready.
        """
        waiting = self._waiting.get(path)
        if waiting is None or waiting.stamp != stamp or waiting.scanned:
            self._add_by_event(path, _WaitingFile(since=now, wait_s=0.0, stamp=stamp))

    def requeue(self, path: bytes, stamp: FileStamp, since: float, wait_s: float) -> None:
        """Adds a returned file, which has been stable since `since` and has to be stable for `wait_s` seconds."""
        self._add(path, _WaitingFile(since=since, wait_s=wait_s, stamp=stamp))

    def requeue_open(self, path: bytes, stamp: FileStamp, now: float) -> None:
        """Adds a file that was returned because it is open for writing."""
        self._add(path, _WaitingFile(since=now, wait_s=self._open_s, stamp=stamp, writing=True))

    def remove(self, path: bytes) -> None:
        """Removes a file that is no longer in the inbox: claimed, deleted or renamed."""
        self._drop(path)
        self._refused.pop(path, None)

    def refuse(self, path: bytes, stamp: FileStamp, now: float) -> bool:
        """Ignores a file until it changes or REFUSED_S seconds have passed. Returns whether it was not refused before."""
        self._drop(path)
        prior = self._refused.get(path)
        # A hash takes a tenth of a stamp's memory, and all of a million files may be refused.
        stamp_hash = hash(stamp)
        self._refused[path] = (stamp_hash, now)
        return prior is None or prior[0] != stamp_hash

    def pop_due(self, now: float) -> bytes | None:
        """Returns the next file to `check`, the one that has waited longest first; None when none is due."""
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
        """Returns the latest time at which to call `pop_due` again, None when no file waits."""
        return self._queue[0][0] if self._queue else None

    def check(self, path: bytes, stamp: FileStamp | None, now: float) -> ReadyFile | None:
        """Decides whether a due file is ready; otherwise it waits on.

        Args:
            path: Path relative to the inbox.
            stamp: Its present stamp, None when it does not exist.
            now: The time.
        """
        waiting = self._waiting.get(path)
        if waiting is None:
            return None
        if stamp is None:
            self.remove(path)
            return None
        if self._is_refused(path, stamp, now):  # the event was of its own return
            self._drop(path)
            return None
        if waiting.stamp is not None and waiting.stamp != stamp:
            waiting.since = now
            waiting.stamp = stamp
        elif stamp.size == 0 and now - waiting.since < self._empty_s:
            waiting.stamp = stamp
            waiting.wait_s = self._empty_s
        else:
            self._drop(path)
            return ReadyFile(path=path, stamp=stamp, stable_since=waiting.since, overdue=waiting.writing)
        self._push(path, waiting)
        return None

    def _is_refused(self, path: bytes, stamp: FileStamp, now: float) -> bool:
        refused = self._refused.get(path)
        return refused is not None and refused[0] == hash(stamp) and now < refused[1] + REFUSED_S

    def _add_by_event(self, path: bytes, waiting: _WaitingFile) -> None:
        """Adds the file of an event, unless it is new and there is no room for it."""
        event_count = len(self._waiting) - self._scanned_count
        limit = self._window // 2 if self.scanning else self._window
        if path in self._waiting or (event_count < limit and len(self._waiting) < self._window):
            self._add(path, waiting)
        else:
            self.rescan_needed = True

    def _add(self, path: bytes, waiting: _WaitingFile) -> None:
        prior = self._waiting.get(path)
        self._scanned_count += waiting.scanned - (prior is not None and prior.scanned)
        self._waiting[path] = waiting
        # A file that is written in many small pieces keeps its one place in the queue, unless it is due earlier now.
        if prior is None or waiting.due_at < prior.due_at:
            self._push(path, waiting)

    def _drop(self, path: bytes) -> None:
        waiting = self._waiting.pop(path, None)
        self._scanned_count -= waiting is not None and waiting.scanned

    def _push(self, path: bytes, waiting: _WaitingFile) -> None:
        heapq.heappush(self._queue, (waiting.due_at, next(self._tie_breaker), path))
        if len(self._queue) > 2 * max(len(self._waiting), self._window):  # most entries are of files that left
            self._queue = [(file.due_at, next(self._tie_breaker), path) for path, file in self._waiting.items()]
            heapq.heapify(self._queue)
