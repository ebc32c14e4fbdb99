"""From ready to claimed, and back to waiting when a photo cannot be claimed or is returned by the pipeline."""

import time
from collections.abc import Callable
from typing import Protocol

import structlog

from daemon.database.event_log import EventLog
from daemon.fs import dirfd
from daemon.inbox.claimed_photo import Claimed, FileChanged, FileRefused, Returned
from daemon.inbox.claims import Claims
from daemon.inbox.companion_finder import CompanionFinder
from daemon.inbox.companion_queue import CompanionQueue
from daemon.inbox.originals import Originals
from daemon.inbox.readiness import ReadinessTracker, ReadyFile
from daemon.inbox.undone import UndonePhotos
from daemon.retry import Retrier
from models.filenames import escape_name

log = structlog.get_logger()

_BATCH = 32  # files between two queries for undone photos


class CompanionSink(Protocol):
    """Takes claimed companions."""

    @property
    def companion_room(self) -> int:
        """Number of companions that it takes now."""

    def put_companion(self, claimed: Claimed, photo_id: int) -> None:
        """Takes a companion of a sorted photo."""


class Claimer:
    """Claims the files that are ready and submits them to the pipeline. Used by one thread.

    Attributes:
        dry_run_paths: Files that a dry run is done with; they stay in the inbox.
    """

    def __init__(
        self,
        claims: Claims,
        tracker: ReadinessTracker,
        undone: UndonePhotos,
        originals: Originals,
        retrier: Retrier,
        event_log: EventLog,
        submit: Callable[[list[Claimed]], None],
        companions: CompanionQueue | None,
        finder: CompanionFinder,
        companion_sink: CompanionSink,
        *,
        settle_s: float,
        dry_run: bool = False,
    ) -> None:
        """Claims nothing yet.

        Args:
            claims: The claim folder.
            tracker: The files that wait.
            undone: Finds the undone photos, which stay in the inbox.
            originals: Finds the originals of copies, which stay in the inbox.
            retrier: Where a full disk and the like are reported.
            event_log: Records events that a person should know about.
            submit: Called with claimed photos.
            companions: The companions that wait for their photos; None if they are sorted like any other file.
            finder: Finds the photos of companions.
            companion_sink: Gets claimed companions.
            settle_s: How long a file has to be stable before it is tried again (s).
            dry_run: Whether to leave the files in the inbox.
        """
        self._claims = claims
        self._tracker = tracker
        self._undone = undone
        self._originals = originals
        self._retrier = retrier
        self._event_log = event_log
        self._submit = submit
        self._companions = companions
        self._finder = finder
        self._companion_sink = companion_sink
        self._settle_s = settle_s
        self._dry_run = dry_run
        self._paused_until = 0.0
        self.dry_run_paths: set[bytes] = set()

    def claim_ready(self) -> bool:
        """Claims the next files that are ready.

        Returns:
            Whether any file was due, so that there may be more.

        Raises:
            RetryAborted: The daemon is stopped.
        """
        now = time.monotonic()
        if now < self._paused_until:
            return False
        ready = []
        any_due = False
        for _ in range(_BATCH):
            path = self._tracker.pop_due(now)
            if path is None:
                break
            any_due = True
            file = self._tracker.check(path, self._claims.stamp(path), now)
            if file is not None and not self._is_companion(file):
                ready.append(file)
        claimed: list[Claimed] = []
        try:
            any_due |= self._settle_companions()
            untaken = self._originals.untaken(self._without_undone(ready))
            if self._dry_run:  # which records no new stamp, so that the next scan would find the others again
                self.dry_run_paths |= {file.path for file in ready} - {file.path for file in untaken}
            for file in untaken:
                claimed += self._claim(file)
        finally:
            self._claims.close_folders()
            if new := self._originals.unrecorded(claimed):
                self._submit(new)
        return any_due

    def next_due_at(self) -> float | None:
        """Returns the latest time at which to call `claim_ready` again (monotonic s), None when no file waits."""
        due_at = [self._tracker.next_due_at(), self._companions.next_due_at() if self._companions is not None else None]
        return min((max(at, self._paused_until) for at in due_at if at is not None), default=None)

    def requeue(self, returned: Returned) -> None:
        """Moves a photo that the pipeline returned back to the inbox, where it waits again."""
        claimed = returned.claimed
        path = claimed.path if self._dry_run else self._claims.give_back(claimed.path, claimed.run_id)
        stamp = None if path is None else self._claims.stamp(path)
        if path is None or stamp is None:
            return
        if returned.refusal:
            self.refuse(path, returned.refusal)
        elif returned.wait_s or stamp.same_except_ctime(self._claims.stamp_of(path, claimed.stat)):
            self._tracker.requeue(path, stamp, claimed.stable_since, returned.wait_s)
        else:
            self._tracker.observe(path, stamp, time.monotonic(), source="returned")

    def refuse(self, path: bytes, reason: str) -> None:
        """Ignores a file until it changes or some time has passed, and records that once."""
        stamp = self._claims.stamp(path)
        if stamp is not None and self._tracker.refuse(path, stamp, time.monotonic()):
            self._event_log.record("refused", f"{reason}; it stays in the inbox", path)

    def _is_companion(self, file: ReadyFile) -> bool:
        """Whether a file waits for its photo from now on."""
        name = dirfd.split(file.path)[1]
        if self._companions is None or not self._finder.rules.may_be_companion(name):
            return False
        if self._dry_run:
            return self._stays_in_dry_run(file)
        return self._companions.add(file, is_photo=not self._finder.rules.is_companion(name))

    def _stays_in_dry_run(self, file: ReadyFile) -> bool:
        found = self._finder.find([file.path])[file.path]
        if found.place == "none":
            return False
        log.info("would follow its photo", companion=escape_name(file.path))
        self.dry_run_paths.add(file.path)
        return True

    def _settle_companions(self) -> bool:
        """Looks for the photos of companions that are due: some follow theirs, some are sorted by themselves.

        Returns:
            Whether any was due, so that there may be more.
        """
        if self._companions is None:
            return False
        due = {file.path: file for file in self._companions.due(self._companion_sink.companion_room)}
        any_due = bool(due)
        for path in [path for path, file in due.items() if self._claims.stamp(path) != file.stamp]:
            self._companions.remove(path)  # an event or a scan finds it again if it has changed
            del due[path]
        for path, found in self._finder.find(due).items():
            file = due[path]
            match self._companions.settle(file, found):
                case "follow":
                    for untaken in self._originals.untaken([file]):
                        for claimed in self._originals.unrecorded(self._claim(untaken)):
                            self._companion_sink.put_companion(claimed, found.photo_id)
                case "release":
                    self._tracker.requeue(path, file.stamp, file.stable_since, 0.0)
        return any_due

    def _without_undone(self, ready: list[ReadyFile]) -> list[ReadyFile]:
        """Returns the ready files that are not undone photos.

        A photo cannot become undone in between: its row says so before it moves, and the database is queried after its
        stamp was taken; and a file that has another stamp when it is claimed is given back.
        """
        undone = self._undone.find({file.path: file.stamp for file in ready})
        if undone:
            log.info("undone photos stay in the inbox until `foodsort retry`", photos=len(undone))
        return [file for file in ready if file.path not in undone]

    def _claim(self, ready: ReadyFile) -> list[Claimed]:
        """Returns the photo, or none when it cannot be claimed now."""
        now = time.monotonic()
        try:
            claimed = self._claims.open_in_place(ready) if self._dry_run else self._claims.claim(ready)
        except FileNotFoundError:
            self._tracker.remove(ready.path)
        except FileExistsError:  # an older photo with this name is still in flight
            self._tracker.requeue(ready.path, ready.stamp, now, self._settle_s)
        except FileChanged as change:
            self._wait_for_writer(ready.path, now, writing=change.writing)
        except FileRefused as refusal:
            self.refuse(ready.path, str(refusal))
        except OSError as error:
            self._pause(ready, error, now)
        else:
            self._retrier.clear(self)
            self._tracker.remove(ready.path)
            if self._companions is not None:
                self._companions.remove(ready.path)
            if self._dry_run:
                self.dry_run_paths.add(ready.path)
            return [claimed]
        return []

    def _wait_for_writer(self, path: bytes, now: float, *, writing: bool) -> None:
        stamp = self._claims.stamp(path)
        if stamp is None:
            return
        if writing:
            self._tracker.requeue_open(path, stamp, now)
        else:
            self._tracker.observe(path, stamp, now, source="returned")

    def _pause(self, ready: ReadyFile, error: OSError, now: float) -> None:
        """Claims nothing for a while. Then other files come first, in case only this file has the problem."""
        reason = f"photos cannot be taken from the inbox: {error.strerror}"
        pending = self._retrier.note(self, reason)
        self._paused_until = now + pending.pause_s
        self._tracker.requeue(ready.path, ready.stamp, now, pending.pause_s + self._settle_s)
        if pending.attempt == 1:
            self._event_log.record("waiting", reason)
