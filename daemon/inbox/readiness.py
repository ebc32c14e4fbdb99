"""Which files of the inbox are ready. Pure: observations and times go in, the next files to check come out."""

from typing import Literal, NamedTuple

from daemon.inbox.stamp import FileStamp
from daemon.inbox.window import WINDOW, WaitingFile, Window

REFUSED_S = 600.0
"""Time after which a refused file is tried again even if it has not changed (s)."""


class ReadyFile(NamedTuple):
    """A file that may be claimed.

    Attributes:
        path: Path relative to the inbox.
        stamp: Its stamp when it became ready.
        stable_since: Time of its last known change (monotonic s).
        overdue: Whether it was opened for writing and not closed, but has not changed for so long that it is ready anyway.
        sha256: Digest (hex) of its bytes, if they were read to recognise it; else empty.
    """

    path: bytes
    stamp: FileStamp
    stable_since: float
    overdue: bool
    sha256: str = ""


class ReadinessTracker:
    """The files that wait, each with the time at which it may be ready. All times are monotonic seconds.

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
        self._window = Window(window)
        self._refused: dict[bytes, tuple[int, float]] = {}
        self.scanning = False
        self.rescan_needed = False

    def __len__(self) -> int:
        return len(self._window)

    def __contains__(self, path: bytes) -> bool:
        return path in self._window or path in self._refused

    @property
    def scan_room(self) -> int:
        """Number of new files that a scan may add."""
        return self._window.scan_room

    @property
    def refused_count(self) -> int:
        """Number of files that cannot be read or moved."""
        return len(self._refused)

    @property
    def oldest(self) -> tuple[bytes, float] | None:
        """The file that has waited longest, and since when. Takes a while when many files wait."""
        return self._window.oldest

    def clear(self) -> None:
        """Removes all files, since the inbox is another folder now."""
        self._window.clear()
        self._refused.clear()
        self.scanning = False
        self.rescan_needed = False

    def on_overflow(self) -> None:
        """Handles lost events: a file may have been closed without an event, so a scan has to find it again."""
        for path in self._window.writing:
            self._window.drop(path)

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
        waiting = self._window.get(path)
        if waiting is None:
            new = WaitingFile(since=now, wait_s=self._settle_s, stamp=stamp, scanned=source == "scan")
            if source == "event":
                self._add_by_event(path, new)
            else:
                self._window.add(path, new)
        elif waiting.stamp is not None and waiting.stamp != stamp:
            waiting.since = now
            waiting.stamp = stamp

    def on_modified(self, path: bytes, now: float) -> None:
        """Handles an event: the file is being written."""
        self._add_by_event(path, WaitingFile(since=now, wait_s=self._open_s, writing=True))

    def on_closed(self, path: bytes, now: float) -> None:
        """Handles an event: a writer closed the file. Some writers open it again, so it has to be stable from now on."""
        self._add_by_event(path, WaitingFile(since=now, wait_s=self._settle_s))

    def on_moved_in(self, path: bytes, stamp: FileStamp, now: float) -> None:
        """Handles an event: the file was renamed to this path, so it was complete before.

        A file with the stamp of a waiting one is the one that foodsort itself returned; it waits on. A file that a scan
        found before its event came is ready.
        """
        waiting = self._window.get(path)
        if waiting is None or waiting.stamp != stamp or waiting.scanned:
            self._add_by_event(path, WaitingFile(since=now, wait_s=0.0, stamp=stamp))

    def requeue(self, path: bytes, stamp: FileStamp, since: float, wait_s: float) -> None:
        """Adds a returned file, which has been stable since `since` and has to be stable for `wait_s` seconds."""
        self._window.add(path, WaitingFile(since=since, wait_s=wait_s, stamp=stamp, returned=True))

    def returned_stamp(self, path: bytes) -> FileStamp | None:
        """Returns the stamp of a file that waits since it was returned, None of any other file."""
        waiting = self._window.get(path)
        return waiting.stamp if waiting is not None and waiting.returned else None

    def requeue_open(self, path: bytes, stamp: FileStamp, now: float) -> None:
        """Adds a file that was returned because it is open for writing."""
        self._window.add(path, WaitingFile(since=now, wait_s=self._open_s, stamp=stamp, writing=True))

    def remove(self, path: bytes) -> None:
        """Removes a file that is no longer in the inbox: claimed, deleted or renamed."""
        self._window.drop(path)
        self._refused.pop(path, None)

    def refuse(self, path: bytes, stamp: FileStamp, now: float) -> bool:
        """Ignores a file until it changes or REFUSED_S seconds have passed. Returns whether it was not refused before."""
        self._window.drop(path)
        prior = self._refused.get(path)
        # A hash takes a tenth of a stamp's memory, and all of a million files may be refused.
        stamp_hash = hash(stamp)
        self._refused[path] = (stamp_hash, now)
        return prior is None or prior[0] != stamp_hash

    def pop_due(self, now: float) -> bytes | None:
        """Returns the next file to `check`, the one that has waited longest first; None when none is due."""
        return self._window.pop_due(now)

    def next_due_at(self) -> float | None:
        """Returns the latest time at which to call `pop_due` again, None when no file waits."""
        return self._window.next_due_at()

    def check(self, path: bytes, stamp: FileStamp | None, now: float) -> ReadyFile | None:
        """Decides whether a due file is ready; otherwise it waits on.

        Args:
            path: Path relative to the inbox.
            stamp: Its present stamp, None when it does not exist.
            now: The time.
        """
        waiting = self._window.get(path)
        if waiting is None:
            return None
        if stamp is None:
            self.remove(path)
            return None
        if self._is_refused(path, stamp, now):  # the event was of its own return
            self._window.drop(path)
            return None
        if waiting.stamp is not None and waiting.stamp != stamp:
            waiting.since = now
            waiting.stamp = stamp
        elif stamp.size == 0 and now - waiting.since < self._empty_s:
            waiting.stamp = stamp
            waiting.wait_s = self._empty_s
        else:
            self._window.drop(path)
            return ReadyFile(path=path, stamp=stamp, stable_since=waiting.since, overdue=waiting.writing)
        self._window.push(path, waiting)
        return None

    def _is_refused(self, path: bytes, stamp: FileStamp, now: float) -> bool:
        refused = self._refused.get(path)
        return refused is not None and refused[0] == hash(stamp) and now < refused[1] + REFUSED_S

    def _add_by_event(self, path: bytes, waiting: WaitingFile) -> None:
        """Adds the file of an event, unless it is new and there is no room for it."""
        if path in self._window or self._window.has_room(scanning=self.scanning):
            self._window.add(path, waiting)
        else:
            self.rescan_needed = True
