"""Records a batch, then moves its photos: in that order, so that no photo is ever where no row says."""

from dataclasses import replace
from datetime import UTC, datetime

import structlog

from daemon import failpoints
from daemon.database.lookup import Lookup
from daemon.database.recorder import Recorder
from daemon.database.rows import BatchRow, PendingRow, PriorRecord
from daemon.database.timestamps import format_time
from daemon.destinations.folders import DestinationFolders, SourceMissing
from daemon.destinations.move import Move
from daemon.destinations.recovery_plan import Resume
from daemon.photo import CORRECTING, FILED, FILING
from daemon.pipeline.decode import Decoded
from daemon.pipeline.outcome import Outcome
from daemon.retry import Retrier
from models.filenames import escape_name

log = structlog.get_logger()


class Filing:
    """Files batches. Trouble with disk or database is waited out."""

    def __init__(
        self,
        destinations: DestinationFolders,
        results: Recorder,
        lookup: Lookup,
        patience: Retrier,
        *,
        skip_duplicates: bool = False,
    ) -> None:
        self._destinations, self._results, self._lookup, self._retry = destinations, results, lookup, patience
        self._skip = skip_duplicates
        self._rehearsed: set[str] = set()
        """SHA-256 of the photos that a dry run would have filed; no row says it of them."""

    def known(self, batch: list[Decoded]) -> list[PriorRecord]:
        """What the database knows of each photo of a batch."""
        return self._retry(self._lookup.prior_records, [photo.key for photo in batch], self._results.model_id)

    def file(self, outcomes: list[Outcome], batch: BatchRow, *, dry_run: bool = False) -> list[Outcome]:
        """Records and moves the photos of a batch; a dry run only says where they would go. Raises what was not transient.

        Returns the outcomes; some of them may now be duplicates that were set aside.
        """
        filed = self._rehearsed if dry_run else set[str]()
        outcomes, again = self._duplicates(outcomes, filed) if self._skip else (outcomes, [])
        if dry_run:
            outcomes += [replace(one, duplicate_of=0) for one in again]  # of photos that get no row now
            for outcome, target in zip(outcomes, self._targets(outcomes), strict=True):
                _report("would file", outcome, target)
            return outcomes
        targets = self._targets(outcomes)
        now = format_time(datetime.now(UTC))
        rows = [outcome.row(target, now) for outcome, target in zip(outcomes, targets, strict=True)]
        batch_id, ids = self._retry(self._results.begin, batch, rows, [one.known for one in outcomes])
        failpoints.failpoint("recorded")
        moved = []
        for photo_id, outcome, target, row in zip(ids, outcomes, targets, rows, strict=True):
            claimed = outcome.decoded.claimed
            source = (claimed.run_id, claimed.path, target)
            tries = (outcome.attempts, row.first_failed_at, self._results.model_name)
            digest = outcome.decoded.sha256
            move = Move(photo_id, *source, outcome.fate, claimed.identity, digest, outcome.failure, *tries)
            if self._move(move):
                moved.append(photo_id)
                _report("filed", outcome, target, batch=batch_id)
        self._finish(moved)
        return outcomes + (self.file(again, replace(batch, inference_ms=0.0)) if again else [])

    def mend(self, mends: list[Resume]) -> None:
        """Ends what an earlier life of the daemon had recorded and not finished."""
        done = []
        for action, row in mends:
            log.info("recovering", photo=escape_name(row.inbox_path), action=action)
            if action == "missing":
                self._missing(row.id, row.inbox_path)
                continue
            if action == "drop_and_finish":
                self._retry(self._destinations.drop_claimed, _move(row))
            if action != "file" or self._move(_move(row)):
                done.append(row.id)
        self._finish(done)

    def _duplicates(self, outcomes: list[Outcome], filed: set[str]) -> tuple[list[Outcome], list[Outcome]]:
        """Marks the photos of whose bytes one is filed; returns apart those of whose bytes one is about to be filed.

        filed: SHA-256 of the photos that are about to be, to be added to.
        """
        copies = self._retry(self._lookup.duplicates, {outcome.decoded.sha256 for outcome in outcomes})
        marked, again = [], []
        for outcome in outcomes:
            own = outcome.known.previous and outcome.known.previous.id
            there = (
                copy.original
                for copy in copies[outcome.decoded.sha256]
                if copy.original != own
                and copy.original_state in {FILING, FILED, CORRECTING}
                and (copy.original_state != FILED or self._destinations.holds(copy.original_path))
            )
            original = next(there, None) if outcome.verdict else None
            if outcome.verdict and original is None and outcome.decoded.sha256 in filed:
                again.append(outcome)
                continue
            if outcome.verdict and original is None:
                filed.add(outcome.decoded.sha256)
            marked.append(replace(outcome, duplicate_of=original))
        return marked, again

    def _targets(self, outcomes: list[Outcome]) -> list[bytes]:
        taken: set[bytes] = set()
        targets = []
        for outcome in outcomes:
            decoded = outcome.decoded
            targets.append(self._destinations.choose(outcome.fate, decoded.claimed.path, decoded.sha256, taken))
        return targets

    def _move(self, move: Move) -> bool:
        """Moves one photo; to the next free place, named in its row first, when somebody took the one it was to have."""
        while True:
            try:
                if not self._destinations.serves(move):
                    raise FileExistsError
                self._retry(self._destinations.carry_out, move)
                failpoints.failpoint("moved")
                return True
            except FileExistsError:
                move = move.to(self._destinations.choose(move.fate, move.source, move.sha256, set()))
                self._retry(self._results.move, move.photo_id, move.target)
            except SourceMissing:
                self._missing(move.photo_id, move.source)
                return False

    def _finish(self, photo_ids: list[int]) -> None:
        """Says that photos lie at their places, once that would outlast a loss of power."""
        self._retry(self._destinations.sync)
        failpoints.failpoint("synced")
        self._retry(self._results.finish, photo_ids)
        failpoints.failpoint("finished")

    def _missing(self, photo_id: int, path: bytes) -> None:
        log.warning("a claimed photo was taken away by somebody else", kind="missing", photo=escape_name(path))
        self._retry(self._results.missing, photo_id, path)


def _move(row: PendingRow) -> Move:
    tries = (row.attempts, row.first_failed_at, row.model)
    return Move(
        row.id, row.run_id, row.inbox_path, row.path, row.destination, row.identity, row.sha256, row.failure, *tries
    )


def _report(what: str, outcome: Outcome, target: bytes, **more: int) -> None:
    said = {"photo": escape_name(outcome.decoded.claimed.path), "to": escape_name(target), **more}
    if outcome.verdict:
        log.info(what, **said, probability=round(outcome.verdict.probability, 4))
    elif outcome.failure:
        why = {"kind": outcome.failure.kind, "reason": outcome.failure.message}
        log.warning(f"{what} as failed", **said, **why)
