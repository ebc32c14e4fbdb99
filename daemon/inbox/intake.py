"""From the inbox into the pipeline, and back when a photo has to wait on: what hints and looks lead to."""

import os
import time
from collections.abc import Callable

import structlog

from daemon.database.event_log import EventLog
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.timestamps import format_mtime
from daemon.fs import dirfd
from daemon.inbox.claims import Claimed, Claims, FileChanged, FileRefused, Returned
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import FileEvent
from daemon.inbox.readiness import FileStamp, ReadinessTracker, ReadyFile
from daemon.inbox.scanner import Entry, Scanner
from daemon.retry import Retrier
from daemon.settings import WatchSettings

log = structlog.get_logger()

_SLICE = 500  # files of a listing at once, and in one question to the database
_RUN = 32  # files that are claimed between two questions to the database


class Intake:
    """Keeps the list of waiting files and claims those that are ready. Used by one thread."""

    def __init__(
        self,
        settings: WatchSettings,
        claims: Claims,
        submit: Callable[[Claimed], None],
        results: Recorder,
        lookup: Lookup,
        patience: Retrier,
        tell: EventLog,
        *,
        tracker: ReadinessTracker,
        dry_run: bool = False,
    ) -> None:
        """tracker: the files known to wait."""
        self._ignore = IgnoreRules(settings.ignore)
        self.tracker = tracker
        self._listing = Scanner(lambda folder: dirfd.walk(self._claims.inbox_fd, folder, self._ignore, self._closed))
        self._settle_s = settings.settle_s
        self._claims = claims
        self._submit = submit
        self._results = results
        self._lookup = lookup
        self._dry_run = dry_run
        self._patience, self._tell = patience, tell
        self._device = 0
        self._claim_again = 0.0  # not before, when the disk of the inbox is full, say
        self._strange: set[bytes] = set()
        self._tried: set[bytes] = set()  # by a dry run, which leaves them where they are

    def handle(self, message: FileEvent | Returned) -> None:
        """Takes note of an event, or of a photo that comes back from the pipeline."""
        now = time.monotonic()
        match message:
            case Returned():
                self._put_back(message)
            case FileEvent("appeared", path):
                self.scan(path)
            case FileEvent("overflow", _):
                self._tell.record(
                    "overflow", "more happened in the inbox than the system remembers; looking at all of it"
                )
                self.tracker.on_overflow()
                self.scan()
            case FileEvent("modified", path):
                self.tracker.on_modified(path, now)
            case FileEvent("closed", path):
                self.tracker.on_closed(path, now)
            case FileEvent("moved_in", path):
                look = self._look(path)
                if look is not None:
                    self.tracker.on_moved_in(path, look, now)
            case FileEvent("disappeared", path):
                # Looked for, since the halves of our own renames may come apart, and a new file may have come since.
                if self._look(path) is None:
                    self.tracker.remove(path)

    def scan(self, path: bytes = b"") -> None:
        """Looks at a file, or begins to list a folder; the whole inbox when nothing is named."""
        look = self._look(path) if path else None
        if look is not None:
            self.tracker.observe(path, look, time.monotonic())
            return
        if not path and not self._dry_run:
            self._identify()
        self._listing.add(path)
        self.tracker.scanning = True

    @property
    def scanning(self) -> bool:
        """Whether a listing is under way or owed, so that there may be more in the inbox than is waiting."""
        return self._listing.is_active or self.tracker.rescan_needed

    @property
    def can_scan(self) -> bool:
        """Whether a listing is under way or owed, and there is room for what it finds."""
        return self.scanning and self.tracker.scan_room > 0

    def continue_scan(self) -> None:
        """Takes the next slice of the listing, as far as there is room. Raises GivenUp."""
        if self.tracker.rescan_needed and not self._listing.is_active:
            self.tracker.rescan_needed = False
            self._listing.add()
        if self.can_scan:
            self._find(self._listing.next_slice(min(_SLICE, self.tracker.scan_room)))
        self.tracker.scanning = self._listing.is_active

    def stop_scan(self) -> None:
        """Lets go of the folder that is being listed."""
        self._listing.stop()

    def claim_ready(self) -> bool:
        """Claims the next files that are ready; returns whether there were any to look at."""
        now = time.monotonic()
        if now < self._claim_again:
            return False
        ready, found = [], False
        for _ in range(_RUN):
            path = self.tracker.pop_due(now)
            if path is None:
                break
            found = True
            judged = self.tracker.check(path, self._look(path), now)
            if judged is not None:
                ready.append(judged)
        for one in self._not_held(ready):
            self._claim(one)
        return found

    def next_due_at(self) -> float | None:
        """When to call `claim_ready` again at the latest (monotonic s)."""
        due = self.tracker.next_due_at()
        return due and max(due, self._claim_again)

    def refuse(self, path: bytes, reason: str) -> None:
        """Leaves a file alone until it changes or a long time has passed, and says so once."""
        look = self._look(path)
        if look is not None and self.tracker.refuse(path, look, time.monotonic()):
            self._tell.record("refused", f"{reason}; it stays in the inbox", path)

    def reset(self) -> None:
        """The inbox is another folder now."""
        self._listing.stop()
        self.tracker.clear()
        self._strange.clear()
        self._device = 0

    def _find(self, some: list[Entry]) -> None:
        """Lets the files of a slice wait, those changed longest ago first, unless a person took them back to here."""
        now = time.monotonic()
        looks = {}
        for path, stat in sorted(some, key=lambda found: found[1].st_mtime_ns):
            if dirfd.is_regular(stat):
                if path not in self._tried:
                    looks[path] = FileStamp.of(stat)
            elif path not in self._strange:
                self._strange.add(path)
                self._tell.record("skipped", "is no regular file (a link, FIFO, socket or device), so it stays", path)
        # Asked each time, and not remembered: there may be a million of them, and `foodsort retry` releases them.
        held = self._held({path: look for path, look in looks.items() if path not in self.tracker})
        for path, look in looks.items():
            if path not in held:
                self.tracker.observe(path, look, now, source="scan")

    def _not_held(self, ready: list[ReadyFile]) -> list[ReadyFile]:
        """Leaves alone those that a person took back to here; the database is asked after the files were looked at.

        A row says that its photo is on its way before the photo moves, and a claim is given back when the file is not the
        one that was looked at. So none can come in between.
        """
        held = self._held({one.path: one.stamp for one in ready})
        if held:
            log.info("undone, so left in the inbox until `foodsort retry` asks for it", photos=len(held))
        return [one for one in ready if one.path not in held]

    def _held(self, looks: dict[bytes, FileStamp]) -> set[bytes]:
        """Which of these files are photos that a person took back and nobody has changed since.

        A file of several names is held under the one name that it was taken back to; the others are photos of their own.
        """
        if not looks:
            return set()
        undone = self._patience(self._lookup.undone, list({look.identity for look in looks.values()}))
        known = {(row.identity, row.size_bytes, row.modified_at) for row in undone}
        by_name = {(row.inbox_path, row.identity, row.size_bytes, row.modified_at) for row in undone}
        facts = {path: (look.identity, look.size, format_mtime(look.mtime_ns)) for path, look in looks.items()}
        return {
            path
            for path, look in looks.items()
            if ((path, *facts[path]) in by_name if look.linked else facts[path] in known)
        }

    def _identify(self) -> None:
        """Finds the photos with rows by place, size and time when the filesystem was mounted anew, as another device."""
        device = os.fstat(self._claims.inbox_fd).st_dev
        if device == self._device:
            return
        rows = self._patience(self._lookup.in_inbox, 0, _SLICE)
        while rows:
            changed = {}
            for row in rows:
                stat = self._stat(row.inbox_path)
                if stat is None or (stat.st_size, format_mtime(stat.st_mtime_ns)) != (row.size_bytes, row.modified_at):
                    continue
                if row.identity != dirfd.identity(stat):
                    changed[row.id] = dirfd.identity(stat)
            self._patience(self._results.identify, changed)
            rows = self._patience(self._lookup.in_inbox, rows[-1].id, _SLICE)
        self._device = device

    def _look(self, path: bytes) -> FileStamp | None:
        """A look at one path, None when no regular file is there that can be looked at."""
        stat = self._stat(path)
        return FileStamp.of(stat) if stat is not None and dirfd.is_regular(stat) else None

    def _stat(self, path: bytes) -> os.stat_result | None:
        try:
            return self._claims.stat(path)
        except OSError:
            return None

    def _claim(self, ready: ReadyFile) -> None:
        now = time.monotonic()
        try:
            claimed = self._claims.open_in_place(ready) if self._dry_run else self._claims.claim(ready)
        except FileNotFoundError:
            self.tracker.remove(ready.path)
        except FileExistsError:  # an older photo of this name is still on its way
            self.tracker.requeue(ready.path, ready.stamp, now, self._settle_s)
        except FileChanged as change:
            look = self._look(ready.path)
            if look is not None and change.writing:
                self.tracker.requeue_open(ready.path, look, now)
            elif look is not None:
                self.tracker.observe(ready.path, look, now, source="returned")
        except FileRefused as refusal:
            self.refuse(ready.path, str(refusal))
        except OSError as error:
            self._wait_for_room(ready, error, now)
        else:
            self._patience.clear(self)
            self.tracker.remove(ready.path)
            if self._dry_run:
                self._tried.add(ready.path)
            self._submit(claimed)

    def _wait_for_room(self, ready: ReadyFile, error: OSError, now: float) -> None:
        """Nothing more is begun for a while; then others come first, in case it is this one file's trouble after all."""
        pending = self._patience.note(self, f"photos cannot be taken from the inbox: {error.strerror}")
        self._claim_again = now + pending.pause_s
        self.tracker.requeue(ready.path, ready.stamp, now, pending.pause_s + self._settle_s)
        if pending.attempt == 1:
            self._tell.record("waiting", f"photos cannot be taken from the inbox for now: {error.strerror}")

    def _closed(self, path: bytes, error: OSError) -> None:
        if path not in self._strange:
            self._strange.add(path)
            self._tell.record(
                "refused", f"the folder cannot be looked into: {error.strerror}; what is in it stays", path
            )

    def _put_back(self, returned: Returned) -> None:
        claimed = returned.claimed
        path = claimed.path if self._dry_run else self._claims.give_back(claimed.path, claimed.run_id)
        look = None if path is None else self._look(path)
        if path is None or look is None:
            return
        if returned.refusal:
            self.refuse(path, returned.refusal)
        elif returned.wait_s:
            self.tracker.requeue(path, look, claimed.stable_since, returned.wait_s)
        elif look[:3] == FileStamp.of(claimed.stat)[:3]:  # all but ctime, which the renames changed
            self.tracker.requeue(path, look, claimed.stable_since, 0.0)  # it was ready
        else:
            self.tracker.observe(path, look, time.monotonic(), source="returned")
