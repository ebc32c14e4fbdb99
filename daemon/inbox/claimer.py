"""From ready to claimed, and back to waiting when a photo cannot be claimed or is returned by the pipeline."""

import time
from collections.abc import Callable

import structlog

from daemon.database.event_log import EventLog
from daemon.inbox.claimed_photo import Claimed, FileChanged, FileRefused, Returned
from daemon.inbox.claims import Claims
from daemon.inbox.readiness import ReadinessTracker, ReadyFile
from daemon.inbox.undone import UndonePhotos
from daemon.retry import Retrier

log = structlog.get_logger()

_BATCH = 32  # files between two queries for undone photos


class Claimer:
    """Claims the files that are ready and submits them to the pipeline. Used by one thread.

    Attributes:
        dry_run_paths: Files that a dry run has submitted; they stay in the inbox.
    """

    def __init__(
        self,
        claims: Claims,
        tracker: ReadinessTracker,
        undone: UndonePhotos,
        retrier: Retrier,
        event_log: EventLog,
        submit: Callable[[list[Claimed]], None],
        *,
        settle_s: float,
        dry_run: bool = False,
    ) -> None:
        """Claims nothing yet.

        Args:
            claims: The claim folder.
            tracker: The files that wait.
            undone: Finds the files that stay in the inbox.
            retrier: Where a full disk and the like are reported.
            event_log: Records events that a person should know about.
            submit: Called with claimed photos.
            settle_s: How long a file has to be stable before it is tried again (s).
            dry_run: Whether to leave the files in the inbox.
        """
        self._claims = claims
        self._tracker = tracker
        self._undone = undone
        self._retrier = retrier
        self._event_log = event_log
        self._submit = submit
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
            if file is not None:
                ready.append(file)
        claimed: list[Claimed] = []
        try:
            for file in self._without_undone(ready):
                claimed += self._claim(file)
        finally:
            self._claims.close_folders()
            if claimed:
                self._submit(claimed)
        return any_due

    def next_due_at(self) -> float | None:
        """Returns the latest time at which to call `claim_ready` again (monotonic s), None when no file waits."""
        due_at = self._tracker.next_due_at()
        return due_at and max(due_at, self._paused_until)

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
