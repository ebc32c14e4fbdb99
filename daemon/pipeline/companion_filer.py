"""Moves companions to their photos: hash, row, move, sync, row, as for a photo, in a thread of its own."""

import errno
import os
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from daemon import failpoints
from daemon.database.companions import AT_REST, CompanionRecorder, CompanionRow, SortedPhoto
from daemon.database.timestamps import format_mtime, format_time
from daemon.destinations.folders import DestinationFolders
from daemon.destinations.move import Move
from daemon.destinations.mover import PhotoMover, SourceMissing
from daemon.destinations.recovery_plan import Resume
from daemon.destinations.target import NAME_REFUSED
from daemon.fs import names
from daemon.inbox.claimed_copy import holds_copies
from daemon.inbox.claimed_photo import Claimed, Returned
from daemon.inbox.companions import placed_name
from daemon.photo import UNREAD_SHA256
from daemon.pipeline.decode import hash_and_sync
from daemon.retry import Retrier, RetryAborted
from models.filenames import escape_name

log = structlog.get_logger()


@dataclass(frozen=True)
class CompanionCallbacks:
    """Functions that the thread calls.

    Attributes:
        give_back: Gets a companion that has to wait in the inbox.
        wake: Signals that a companion is done.
        part: Signals that an action has moved a photo meanwhile, so that its companion has to follow.
        fail: Gets the exception that ended the thread.
    """

    give_back: Callable[[Returned], None]
    wake: Callable[[], None]
    part: Callable[[], None]
    fail: Callable[[BaseException], None]


class CompanionFiler:
    """Files claimed companions beside their photos."""

    def __init__(
        self,
        destinations: DestinationFolders,
        mover: PhotoMover,
        recorder: CompanionRecorder,
        retrier: Retrier,
        *,
        max_bytes: int,
        callbacks: CompanionCallbacks,
    ) -> None:
        """Prepares the thread.

        Args:
            destinations: The folders.
            mover: Moves claimed files; no other thread uses it.
            recorder: Writes rows.
            retrier: Retries while the disk or the database has a temporary problem.
            max_bytes: Size of the largest file to read (bytes).
            callbacks: Functions that the thread calls.
        """
        self._destinations = destinations
        self._mover = mover
        self._recorder = recorder
        self._retry = retrier
        self._max_bytes = max_bytes
        self._callbacks = callbacks
        self._waiting: queue.SimpleQueue[tuple[Claimed, int] | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="companions")
        self.in_flight = 0
        """Number of claimed companions that are neither filed nor back in the inbox."""

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def put(self, claimed: Claimed, photo_id: int) -> None:
        """Adds a claimed companion of a sorted photo."""
        with self._lock:
            self.in_flight += 1
        self._waiting.put((claimed, photo_id))

    def stop(self) -> None:
        """Finishes the companion that is being moved, and gives the others back to the inbox."""
        self._stopping.set()
        self._waiting.put(None)
        self._thread.join()

    def recover(self, steps: Sequence[Resume]) -> None:
        """Finishes the companions that an earlier run of the daemon recorded and did not finish."""
        self._retry(self._destinations.sweep, [step.row.path for step in steps])
        for action, row in steps:
            log.info("recovering", companion=escape_name(row.inbox_path), action=action)
            move = Move.of_row(row)
            if action == "missing":
                self._lose(move)
                continue
            if action == "drop_and_finish":
                self._retry(self._mover.drop_claimed, move)
            if action != "file" or self._move(move) is not None:
                self._finish(row.id)

    def _run(self) -> None:
        try:
            while (item := self._waiting.get()) is not None:
                claimed, photo_id = item
                returned = Returned(claimed) if self._stopping.is_set() else self._file(claimed, photo_id)
                if returned is not None:
                    self._callbacks.give_back(returned)
                claimed.close()
                with self._lock:
                    self.in_flight -= 1
                self._callbacks.wake()
        except RetryAborted:  # the daemon stops: what is claimed is recovered at the next start
            return
        except BaseException as error:  # noqa: BLE001
            self._callbacks.fail(error)

    def _file(self, claimed: Claimed, photo_id: int) -> Returned | None:
        """Files a companion; returns it if it has to wait in the inbox."""
        try:
            sha256 = self._hash(claimed)
        except OSError as error:
            return Returned(claimed, refusal=f"cannot be read: {error.strerror}")
        photo = self._retry(self._recorder.photo, photo_id)
        if sha256 is None or claimed.was_modified() or photo is None or photo.state not in AT_REST:
            return Returned(claimed)
        try:
            target = self._retry.retry_transient(self._choose, claimed.path, photo)
        except OSError as error:
            return Returned(claimed, refusal=f"cannot move to its photo: {error.strerror}")
        row = _row(claimed, sha256, photo.id, target)
        row_id = self._retry(self._recorder.begin, row, self._destinations.place_in_inbox(claimed.path))
        failpoints.failpoint("recorded")
        try:
            placed = self._move(_move(row_id, claimed, sha256, target))
        except OSError as error:
            self._retry(self._recorder.drop, row_id)
            return Returned(claimed, refusal=f"cannot move to its photo: {error.strerror}")
        if placed is not None:
            self._finish(row_id, photo)
            log.info("companion filed", companion=escape_name(claimed.path), to=escape_name(placed))
        return None

    def _hash(self, claimed: Claimed) -> str | None:
        """Returns the digest of a companion, UNREAD_SHA256 of one that is too large, None if the daemon stops."""
        if os.fstat(claimed.fd).st_size > self._max_bytes:
            return UNREAD_SHA256

        def on_piece() -> None:
            if self._stopping.is_set():
                raise _Stopped

        try:
            return hash_and_sync(claimed, on_piece)
        except _Stopped:
            return None

    def _choose(self, path: bytes, photo: SortedPhoto) -> bytes:
        """Returns the first free place beside a photo. Raises OSError."""
        folder, name = os.path.split(photo.path)
        placed = placed_name(os.path.basename(path), os.path.basename(photo.inbox_path), name)
        return self._first_free(os.path.join(folder, placed))

    def _first_free(self, place: bytes) -> bytes:
        return next(self._destinations.free_places(place))

    def _move(self, move: Move) -> bytes | None:
        """Moves a companion; returns its place, None if somebody has taken it away. Raises OSError."""
        is_portable = False
        while True:
            try:
                self._retry.retry_transient(self._mover.carry_out, move)
                failpoints.failpoint("moved")
                return move.target
            except SourceMissing:
                self._lose(move)
                return None
            except FileExistsError:
                target = move.target
            except OSError as error:
                if is_portable or error.errno not in NAME_REFUSED | {errno.ENOENT}:
                    raise
                is_portable = True
                folder, name = os.path.split(move.target)
                target = os.path.join(folder, names.portable(name))
            free = self._retry.retry_transient(self._first_free, target)
            move = replace(move, target=free)
            self._retry(self._recorder.move, move.photo_id, free)

    def _lose(self, move: Move) -> None:
        """Records that somebody else removed a claimed companion; of a copy, the original is taken again."""
        self._retry(self._recorder.drop if holds_copies(move.run_id) else self._recorder.lose, move.photo_id)

    def _finish(self, row_id: int, photo: SortedPhoto | None = None) -> None:
        """Records that a companion is beside its photo, once the move would survive a power cut."""
        self._retry(self._mover.sync)
        failpoints.failpoint("synced")
        now = None if photo is None else self._retry(self._recorder.photo, photo.id)
        if photo is not None and now is not None and now.path != photo.path:
            self._retry(self._recorder.part, row_id, photo.path)
            self._callbacks.part()
        else:
            self._retry(self._recorder.finish, row_id)
        failpoints.failpoint("finished")


class _Stopped(Exception):
    """Ends the hashing of a companion when the daemon stops."""


def _row(claimed: Claimed, sha256: str, photo_id: int, target: bytes) -> CompanionRow:
    return CompanionRow(
        photo_id=photo_id,
        path=target,
        inbox_path=claimed.path,
        run_id=claimed.run_id.decode(),
        identity=claimed.identity,
        sha256=sha256,
        size_bytes=claimed.stat.st_size,
        modified_at=format_mtime(claimed.stat.st_mtime_ns),
        claimed_at=format_time(claimed.claimed_at),
        original=claimed.original,
    )


def _move(row_id: int, claimed: Claimed, sha256: str, target: bytes) -> Move:
    return Move(
        photo_id=row_id,
        run_id=claimed.run_id,
        source=claimed.path,
        target=target,
        identity=claimed.identity,
        sha256=sha256,
    )
