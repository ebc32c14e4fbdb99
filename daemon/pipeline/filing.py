"""Records a batch, then moves its photos: in that order, so that every moved photo has a row that names its place."""

import errno
import itertools
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from daemon import failpoints
from daemon.database.event_log import EventLog
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.rows import BatchRow, DuplicateRow
from daemon.database.timestamps import format_time
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.move import Move
from daemon.destinations.mover import PhotoMover, SourceMissing
from daemon.destinations.recovery_plan import Resume
from daemon.destinations.target import NAME_REFUSED, TargetChooser
from daemon.inbox.claimed_copy import holds_copies
from daemon.inbox.claimed_photo import Returned
from daemon.photo import CORRECTING, FILED, FILING, Destination
from daemon.pipeline.classify import Outcome
from daemon.retry import Retrier
from models.filenames import escape_name

log = structlog.get_logger()


_ATTEMPTS = 3


class _FolderRefused(Exception):
    """Raised when photos cannot move to a folder. The message is for people."""

    def __init__(self, destination: Destination, error: OSError) -> None:
        super().__init__(f"cannot move to the folder for {destination or 'failed photos'}: {error.strerror}")


class Filer:
    """Records and moves photos. It retries while the disk or the database has a temporary problem."""

    def __init__(
        self,
        destinations: DestinationFolders,
        mover: PhotoMover,
        recorder: Recorder,
        lookup: Lookup,
        retrier: Retrier,
        *,
        skip_duplicates: bool = False,
        has_companions: Callable[[], bool] = lambda: False,
    ) -> None:
        self._destinations = destinations
        self._targets = TargetChooser(destinations, self._report_blocked, has_companions)
        self._mover = mover
        self._recorder = recorder
        self._lookup = lookup
        self._retry = retrier
        self._event_log = EventLog(recorder, retrier)
        self._skip_duplicates = skip_duplicates
        self._previewed: set[str] = set()
        """SHA-256 of the photos that a dry run would have filed; no row has them."""

    def file(self, outcomes: list[Outcome], batch: BatchRow) -> tuple[list[Outcome], list[Returned]]:
        """Records and moves the photos of a batch.

        A photo whose folder cannot be used goes back to the inbox, so that it does not stop the others.

        Args:
            outcomes: Outcomes of the batch.
            batch: Row of the batch.

        Returns:
            The outcomes, with marked duplicates that were set aside, and the photos that go back to the inbox.

        Raises:
            RetryAborted: The daemon stops during a retry.
            Exception: Any error that is not transient.
        """
        outcomes, repeated = self._mark_duplicates(outcomes, set()) if self._skip_duplicates else (outcomes, [])
        with closing(self._targets):
            outcomes, targets, returned = self._choose_targets(outcomes)
        if not outcomes:
            return [], returned
        now = format_time(datetime.now(UTC))
        rows = [outcome.row(target, now) for outcome, target in zip(outcomes, targets, strict=True)]
        recorded = self._retry(self._recorder.begin, batch, rows, [outcome.prior for outcome in outcomes])
        failpoints.failpoint("recorded")
        moved: dict[int, tuple[Outcome, bytes]] = {}
        filed = []
        for photo_id, outcome, row in zip(recorded.photo_ids, outcomes, rows, strict=True):
            claimed = outcome.decoded.claimed
            move = Move(
                photo_id=photo_id,
                run_id=claimed.run_id,
                source=claimed.path,
                target=row.path,
                destination=outcome.destination,
                identity=claimed.identity,
                sha256=outcome.decoded.sha256,
                failure=outcome.failure,
                attempts=outcome.attempts,
                first_failed_at=row.first_failed_at,
                model=self._recorder.model_name,
            )
            try:
                target = self._move(move)
            except _FolderRefused as refusal:
                self._postpone(move)
                returned.append(Returned(claimed, refusal=str(refusal)))
                continue
            filed.append(outcome)
            if target is not None:
                moved[photo_id] = outcome, target
        self._finish(list(moved))
        _log_outcomes("filed", moved.values(), batch=recorded.id)
        if repeated:  # in a batch of their own: the photos that they repeat have a row now
            more_filed, more_returned = self.file(repeated, replace(batch, inference_ms=0.0))
            return filed + more_filed, returned + more_returned
        return filed, returned

    def renames_failed(self) -> bool:
        """Whether failed photos are renamed into their folder, not copied to another filesystem."""
        try:
            return self._destinations.is_on_device_of_inbox(None)
        except OSError:  # it is waited for when the photo is filed
            return True

    def preview(self, outcomes: list[Outcome]) -> tuple[list[Outcome], list[Returned]]:
        """Logs where the photos of a batch would go, for a dry run.

        Returns:
            The outcomes, with marked photos that would be set aside as duplicates, and the photos that would go back to
            the inbox.
        """
        if self._skip_duplicates:
            outcomes, repeated = self._mark_duplicates(outcomes, self._previewed)
            outcomes += [replace(outcome, duplicate_of=0) for outcome in repeated]  # the row does not exist yet
        with closing(self._targets):
            outcomes, targets, returned = self._choose_targets(outcomes)
        _log_outcomes("would file", zip(outcomes, targets, strict=True))
        return outcomes, returned

    def recover(self, steps: list[Resume]) -> None:
        """Finishes the photos that an earlier run of the daemon recorded and did not finish."""
        self._retry(self._destinations.sweep, [row.path for _, row in steps])
        finished = []
        for action, row in steps:
            log.info("recovering", photo=escape_name(row.inbox_path), action=action)
            if action == "missing":
                self._record_missing(Move.of_row(row))
                continue
            if action == "drop_and_finish":
                self._retry(self._mover.drop_claimed, Move.of_row(row))
            try:
                if action != "file" or self._move(Move.of_row(row)) is not None:
                    finished.append(row.id)
            except _FolderRefused as refusal:
                log.warning(f"{refusal}; the photo goes back to the inbox", photo=escape_name(row.inbox_path))
                self._postpone(Move.of_row(row))
                self._mover.give_back(Move.of_row(row))
        self._finish(finished)

    def _mark_duplicates(self, outcomes: list[Outcome], new_digests: set[str]) -> tuple[list[Outcome], list[Outcome]]:
        """Marks the duplicates of filed photos.

        Args:
            outcomes: Outcomes of a batch.
            new_digests: SHA-256 of photos that are about to be filed; those of this batch are added.

        Returns:
            The outcomes, and separately those that repeat a photo that is about to be filed.
        """
        rows = self._retry(self._lookup.duplicates, {outcome.decoded.sha256 for outcome in outcomes})
        marked, repeated = [], []
        for outcome in outcomes:
            digest = outcome.decoded.sha256
            original = self._find_original(outcome, rows[digest]) if outcome.prediction else None
            if outcome.prediction and original is None:
                if digest in new_digests:
                    repeated.append(outcome)
                    continue
                new_digests.add(digest)
            marked.append(replace(outcome, duplicate_of=original))
        return marked, repeated

    def _find_original(self, outcome: Outcome, rows: list[DuplicateRow]) -> int | None:
        """Returns the id of a filed photo of the same bytes that still exists; None when there is none."""
        own_id = outcome.prior.previous.id if outcome.prior.previous else None
        for row in rows:
            if row.original == own_id or row.original_state not in {FILING, FILED, CORRECTING}:
                continue
            if row.original_state != FILED or self._destinations.exists(row.original_path):
                return row.original
        return None

    def _choose_targets(self, outcomes: list[Outcome]) -> tuple[list[Outcome], list[bytes], list[Returned]]:
        """Returns the outcomes with a target each, and the photos whose folder cannot be used."""
        reserved: set[bytes] = set()
        kept = []
        targets = []
        returned = []
        for outcome in outcomes:
            claimed = outcome.decoded.claimed
            try:
                target = self._choose(outcome.destination, claimed.path, outcome.decoded.sha256, reserved)
            except _FolderRefused as refusal:
                returned.append(Returned(claimed, refusal=str(refusal)))
                continue
            kept.append(outcome)
            targets.append(target)
        return kept, targets, returned

    def _choose(self, destination: Destination, path: bytes, sha256: str, reserved: set[bytes]) -> bytes:
        """Chooses a place; waits while the machine has a problem. Raises _FolderRefused, RetryAborted."""
        try:
            return self._retry.retry_transient(self._targets.choose, destination, path, sha256, reserved)
        except OSError as error:
            raise _FolderRefused(destination, error) from error

    def _choose_again(self, move: Move) -> bytes:
        """Chooses another place for one photo. Raises as `_choose` does."""
        with closing(self._targets):
            return self._choose(move.destination, move.source, move.sha256, set())

    def _report_blocked(self, blocked: bytes, used: bytes) -> None:
        self._event_log.record(
            "refused",
            f"no photo can get a name in {escape_name(blocked)}: a file, a link or missing rights are in the way; "
            f"photos for it move to {escape_name(used)}",
        )

    def _move(self, move: Move) -> bytes | None:
        """Moves one photo; to another place, recorded first, when its target is taken or refused.

        Returns:
            The place of the photo; None when it is missing.

        Raises:
            _FolderRefused: The photo cannot get a name in its folder.
            RetryAborted: The daemon stops during a retry.
        """
        for attempt in itertools.count(1):
            try:
                if not self._destinations.fits_settings(move):
                    raise FileExistsError
                self._retry.retry_transient(self._mover.carry_out, move)
                failpoints.failpoint("moved")
                return move.target
            except SourceMissing:
                self._record_missing(move)
                return None
            except FileExistsError:
                target = self._choose_again(move)
            except OSError as error:
                if error.errno == errno.ENOENT and attempt < _ATTEMPTS:
                    continue  # another program removed the empty folder: it is made again
                target = self._choose_after(error, move)
            move = replace(move, target=target)
            self._retry(self._recorder.move, move.photo_id, move.target)
        raise AssertionError  # the attempts never end

    def _choose_after(self, error: OSError, move: Move) -> bytes:
        """Chooses a place other than the target, which was refused. Raises _FolderRefused, RetryAborted."""
        if error.errno in NAME_REFUSED | {errno.ENOENT}:  # exFAT over FUSE reports ENOENT
            self._targets.use_portable_names(move.target)
        target = self._choose_again(move)
        if target == move.target:
            raise _FolderRefused(move.destination, error) from error
        return target

    def _postpone(self, move: Move) -> None:
        """Records that a photo goes back to the inbox."""
        self._retry(self._recorder.postpone, move.photo_id, self._destinations.place_in_inbox(move.source))

    def _finish(self, photo_ids: list[int]) -> None:
        """Records that photos are at their places, once the moves would survive a power cut."""
        self._retry(self._mover.sync)
        failpoints.failpoint("synced")
        self._retry(self._recorder.finish, photo_ids)
        failpoints.failpoint("finished")

    def _record_missing(self, move: Move) -> None:
        log.warning("a claimed photo was removed by another program", kind="missing", photo=escape_name(move.source))
        if holds_copies(move.run_id):  # its original is sorted again
            self._postpone(move)
        else:
            self._retry(self._recorder.missing, move.photo_id, move.source)


def _log_outcomes(event: str, photos: Iterable[tuple[Outcome, bytes]], **fields: int) -> None:
    """Logs the places of photos: all at once, since each line wakes the thread that writes it."""
    bound = log.bind()
    for outcome, target in photos:
        fields_of_all = {"photo": escape_name(outcome.decoded.claimed.path), "to": escape_name(target), **fields}
        if outcome.prediction:
            bound.info(event, **fields_of_all, probability=round(outcome.prediction.probability, 4))
        elif outcome.failure:
            bound.warning(
                f"{event} as failed", **fields_of_all, kind=outcome.failure.kind, reason=outcome.failure.message
            )
        else:
            bound.info(f"{event} as no image", **fields_of_all)
