"""The content of the inbox: events and scans become files that wait in the tracker."""

import time
from collections.abc import Iterator

from daemon.database.event_log import EventLog
from daemon.fs import dirfd
from daemon.inbox.claimer import Claimer
from daemon.inbox.claims import Claims
from daemon.inbox.companion_queue import CompanionQueue
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import FileEvent
from daemon.inbox.originals import Originals
from daemon.inbox.readiness import ReadinessTracker
from daemon.inbox.scanner import Entry, Scanner
from daemon.inbox.undone import UndonePhotos
from daemon.settings import WatchSettings

_SLICE = 500  # files of a scan at a time, and in one query for undone photos


class Intake:
    """Fills the tracker with the files of the inbox. Used by one thread.

    Attributes:
        tracker: The files that wait.
    """

    def __init__(
        self,
        settings: WatchSettings,
        claims: Claims,
        tracker: ReadinessTracker,
        undone: UndonePhotos,
        originals: Originals,
        claimer: Claimer,
        event_log: EventLog,
        companions: CompanionQueue | None,
        *,
        dry_run: bool = False,
    ) -> None:
        """Scans nothing yet.

        Args:
            settings: Names to ignore.
            claims: The open inbox.
            tracker: The files that wait.
            undone: Finds the undone photos, which stay in the inbox.
            originals: Finds the originals of copies, which stay in the inbox.
            claimer: Knows the files that a dry run has submitted.
            event_log: Records events that a person should know about.
            companions: The companions that wait for their photos.
            dry_run: Whether to record nothing.
        """
        self.tracker = tracker
        self._claims = claims
        self._undone = undone
        self._originals = originals
        self._claimer = claimer
        self._event_log = event_log
        self._companions = companions
        self._dry_run = dry_run
        self._ignore = IgnoreRules(settings.ignore)
        self._scanner = Scanner(self._walk)
        self._reported: set[bytes] = set()  # each link, device or unreadable folder is reported once

    def handle(self, event: FileEvent) -> None:
        """Handles an event of the inbox."""
        now = time.monotonic()
        match event:
            case FileEvent("appeared", path):
                self.scan(path)
            case FileEvent("overflow", _):
                self._event_log.record("overflow", "inotify queue overflowed; rescanning the inbox")
                self.tracker.on_overflow()
                self.scan()
            case FileEvent("modified" | "closed", path) if self._is_own_return(path):
                pass
            case FileEvent("modified", path):
                self.tracker.on_modified(path, now)
            case FileEvent("closed", path):
                self.tracker.on_closed(path, now)
            case FileEvent("moved_in", path):
                stamp = self._claims.stamp(path)
                if stamp is not None:
                    self.tracker.on_moved_in(path, stamp, now)
            case FileEvent("disappeared", path) if path in self.tracker:  # else we have claimed it
                # Checked: a new file may exist.
                if self._claims.stamp(path) is None:
                    self.tracker.remove(path)

    def scan(self, path: bytes = b"") -> None:
        """Adds a file, or starts a scan of a folder, by default of the whole inbox. Raises RetryAborted."""
        stamp = self._claims.stamp(path) if path else None
        if stamp is not None:
            self.tracker.observe(path, stamp, time.monotonic())
            return
        if not path and not self._dry_run:
            self._undone.update_identities(self._claims)
        self._scanner.add(path)
        self.tracker.scanning = True

    @property
    def scanning(self) -> bool:
        """Whether a scan is under way or needed, so that there may be files that are not in the tracker."""
        return self._scanner.is_active or self.tracker.rescan_needed

    @property
    def can_scan(self) -> bool:
        """Whether a scan is under way or needed, and the tracker has room for its files."""
        return self.scanning and self.tracker.scan_room > 0

    def continue_scan(self) -> None:
        """Adds the files of the scan's next slice, as far as the tracker has room. Raises RetryAborted."""
        if self.tracker.rescan_needed and not self._scanner.is_active:
            self.tracker.rescan_needed = False
            self._scanner.add()
        if self.can_scan:
            self._add(self._scanner.next_slice(min(_SLICE, self.tracker.scan_room)))
        self.tracker.scanning = self._scanner.is_active

    def stop_scan(self) -> None:
        """Ends the scan and closes its folder."""
        self._scanner.stop()

    def reset(self) -> None:
        """Forgets everything, since the inbox is another folder now."""
        self._scanner.stop()
        self.tracker.clear()
        self._undone.reset()
        self._reported.clear()
        if self._companions is not None:
            self._companions.clear()

    def _is_own_return(self, path: bytes) -> bool:
        """Whether an event is of a placeholder, which a file replaced when it was returned (see `fs/rename.py`)."""
        stamp = self.tracker.returned_stamp(path)
        return stamp is not None and stamp == self._claims.stamp(path)

    def _walk(self, folder: bytes) -> Iterator[Entry]:
        return dirfd.walk(self._claims.inbox_fd, folder, self._ignore, self._report_unreadable)

    def _add(self, entries: list[Entry]) -> None:
        """Adds the photos of a slice except undone ones and originals; those that were written first come first."""
        now = time.monotonic()
        stamps = {}
        for path, stat in sorted(entries, key=lambda entry: entry[1].st_mtime_ns):
            if not dirfd.is_regular(stat):
                message = "is no regular file (a link, FIFO, socket or device), so it stays"
                self._report("skipped", message, path)
            elif path not in self._claimer.dry_run_paths:
                stamp = self._claims.stamp_of(path, stat)
                if self._companions is None or not self._companions.holds(path, stamp):
                    stamps[path] = stamp
        new = {path: stamp for path, stamp in stamps.items() if path not in self.tracker}
        staying = self._originals.find(new)
        staying |= self._undone.find({path: stamp for path, stamp in new.items() if path not in staying})
        for path, stamp in stamps.items():
            if path not in staying:
                self.tracker.observe(path, stamp, now, source="scan")

    def _report_unreadable(self, folder: bytes, error: OSError) -> None:
        self._report("refused", f"the folder cannot be read: {error.strerror}; its files stay in the inbox", folder)

    def _report(self, kind: str, message: str, path: bytes) -> None:
        if path not in self._reported:
            self._reported.add(path)
            self._event_log.record(kind, message, path)
