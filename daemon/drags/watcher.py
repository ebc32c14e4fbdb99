"""Watches the folders of sorted photos in a thread of its own: events, and scans where events do not tell everything."""

import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from daemon.actions.context import ActionBusy, Actions
from daemon.drags.follower import CHUNK_PLACES, DragFollower, Examined
from daemon.drags.rescan import Rescan
from daemon.drags.settling import Settling
from daemon.drags.tree import FolderTree
from daemon.drags.watches import Change, Watches
from daemon.drags.writer import DRAGGED
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.lock import action_lock
from daemon.retry import Retrier, RetryAborted, is_transient
from daemon.settings import Settings
from models import Label
from models.errors import FoodsortError
from models.filenames import escape_name

log = structlog.get_logger()

_RESCANS = 60
"""Scans take place every `watch.rescan_s`, and this many times more rarely while events arrive."""
_SHARE = 20
"""Scans take at most this part of the time, however many photos there are."""
_REST = 9
"""Rest after a slice of a scan, in times of the slice."""
_LOST_SETTLES = 4
"""A removed photo is looked for this many times as long as a change takes to settle."""
_RETRY_S = 1.0
_PAUSED_S = 60.0
_BACKLOG = 5_000  # places that wait while a scan goes on
_END = object()


class DragWatcher:
    """Finds photos that a person moved by hand. `start`, `pause`, `run_once` and `stop` are for the main thread."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        actions: Actions,
        engine: sa.Engine,
        retrier: Retrier,
        *,
        is_degraded: Callable[[], bool] = lambda: False,
        on_label: Callable[[Label], None] = lambda label: None,
    ) -> None:
        """Watches nothing yet.

        Args:
            root: The root.
            settings: Its settings.
            actions: The actions on its photos, whose lock is held while rows change.
            engine: The database.
            retrier: Shows problems that pass, in the status.
            is_degraded: Whether the events of the inbox do not all arrive; those of other folders do not either then.
            on_label: Called with each label that a person gave by a move.
        """
        self._actions = actions
        self._retrier = retrier
        self._on_label = on_label
        self._settle_s = settings.watch.settle_s
        self._rescan_s = settings.watch.rescan_s
        self._settling = Settling(self._settle_s, _LOST_SETTLES * self._settle_s)
        self._follower = DragFollower(root, settings, actions, engine)
        ignored = IgnoreRules(settings.watch.ignore)
        destinations = self._follower.inventory.destinations
        base = os.fsencode(root.absolute())
        used = (os.path.normpath(os.path.join(base, os.fsencode(name))) for name in settings.folders.used.values())
        inbox, *self._tops = used
        self._place = destinations.place
        self._changes: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._watches = Watches(self._tops, self._changes.put, is_degraded)
        self._tree = FolderTree(
            self._tops,
            skip=lambda path: path == inbox or ignored(os.path.basename(path)),
            on_new=self._watches.add,
            on_gone=self._watches.remove,
        )
        self._rescan = Rescan(self._tree, self._follower, self._touch)
        self._folders: deque[Iterator[None]] = deque()
        self._scan: Iterator[None] | None = None
        self._next_scan = 0.0
        self._next_look = 0.0
        self._top_inodes: dict[bytes, tuple[int, int]] = {}
        self._everything = True
        self._scan_s = 0.0
        self._working = threading.Lock()
        self._active = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drags")

    def start(self) -> None:
        """Begins, or goes on after `pause`, with a scan of all folders."""
        with self._working:
            self._settling.clear()
            self._folders.clear()
            self._scan_all()
            self._active = True
        if self._thread.ident is None:
            self._watches.open()
            self._thread.start()
        self._changes.put(None)

    def pause(self) -> None:
        """Touches nothing any more until `start`: the inbox, which has the lock of the actions, is away."""
        with self._working:
            self._active = False

    def stop(self) -> None:
        """Ends the thread. May be called twice."""
        self._stopping.set()
        self._changes.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._watches.close()

    def run_once(self, heartbeat: Callable[[], None], stopping: threading.Event) -> None:
        """Scans all folders in the calling thread, without a watch. What cannot be read is left to the next run.

        Args:
            heartbeat: Called often.
            stopping: Ends it early.
        """
        try:
            for _ in self._rescan.run(everything=True):
                heartbeat()
                if stopping.is_set():
                    return
            while (due_at := self._settling.next_at) is not None and not stopping.is_set():
                heartbeat()
                stopping.wait(min(max(due_at - time.monotonic(), 0.0), 1.0))
                self._examine_due(is_last=True)
        except (OSError, FoodsortError, SQLAlchemyError) as error:
            log.warning("moved photos cannot be looked for", kind="drags", reason=str(error))

    @property
    def interval_s(self) -> float:
        """Time between two scans (s)."""
        usual_s = _RESCANS * self._rescan_s if self._watches.are_complete else self._rescan_s
        return max(usual_s, _SHARE * self._scan_s)

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                with self._working:
                    pause_s = self._step() if self._active else _PAUSED_S
                self._receive(pause_s)
        except RetryAborted:
            return
        except Exception as error:  # noqa: BLE001 - sorting goes on without it
            log.error("the search for moved photos ended; restart foodsort", kind="drags", reason=repr(error))

    def _step(self) -> float:
        """Does the next piece of work; returns how long there is nothing to do (s)."""
        try:
            pause_s = self._next_work()
        except ActionBusy:
            return _RETRY_S
        except (OSError, FoodsortError, SQLAlchemyError) as error:
            self._note(error)
            return _RETRY_S
        self._retrier.clear(self)
        return pause_s

    def _note(self, error: Exception) -> None:
        """Reports an error; the scan begins again later."""
        self._scan = None
        self._folders.clear()
        self._everything = True
        if is_transient(error):
            self._retrier.note(self, f"moved photos cannot be looked for: {error}", _RETRY_S)
            self._next_scan = time.monotonic() + _RETRY_S
        else:
            log.warning("moved photos cannot be looked for", kind="drags", reason=str(error))
            self._next_scan = time.monotonic() + self.interval_s

    def _next_work(self) -> float:
        if self._examine_due():
            return 0.0
        if self._settling.overflowed:
            self._settling.overflowed = False
            self._scan_all()
        now = time.monotonic()
        if len(self._settling) < _BACKLOG:
            if self._folders:
                if next(self._folders[0], _END) is _END:
                    self._folders.popleft()
                return 0.0
            if now >= self._next_look:
                self._look_at_tops(now)
            if now >= self._next_scan:
                self._continue_scan(now)
        wake_at = min(self._next_scan, self._next_look) if len(self._settling) < _BACKLOG else now + _RETRY_S
        due_at = self._settling.next_at
        return max(min(wake_at, wake_at if due_at is None else due_at) - time.monotonic(), 0.0)

    def _look_at_tops(self, now: float) -> None:
        """Begins a scan if another folder is in the place of one of the settings: no event tells of that."""
        tops = {}
        for top in self._tops:
            with suppress(OSError):
                stat = os.stat(top)
                tops[top] = stat.st_dev, stat.st_ino
        if tops != self._top_inodes and self._top_inodes:
            self._scan_all()
        self._top_inodes = tops
        self._next_look = now + self._rescan_s

    def _continue_scan(self, now: float) -> None:
        """Does one slice of a scan, then rests: the thread has the interpreter's lock that all others need."""
        if self._scan is None:
            self._scan = self._rescan.run(everything=self._everything)
            self._everything = False
            self._scan_s = 0.0
        is_done = next(self._scan, _END) is _END
        slice_s = time.monotonic() - now
        self._scan_s += slice_s
        if is_done:
            self._scan = None
        self._next_scan = time.monotonic() + (self.interval_s if is_done else _REST * slice_s)

    def _examine_due(self, *, is_last: bool = False) -> bool:
        """Examines places that have stood still; returns whether there were any.

        Raises:
            ActionBusy: Another process moves photos; they are examined later.
            FoodsortError, OSError, sqlalchemy.exc.SQLAlchemyError: They cannot be examined now; they will be later.
        """
        due = self._settling.due(time.monotonic(), CHUNK_PLACES // 2)
        if not due.places:
            return False
        try:
            with self._action_lock(timeout_s=None if is_last else 0):
                examined = self._follower.examine(due.places, due.places if is_last else due.lost)
        except BaseException:
            self._touch(due.places)
            raise
        _log(examined)
        for drag in examined.drags:
            if drag.label is not None:
                self._on_label(drag.label)
        self._settling.wait_for(examined.waiting, time.monotonic())
        self._touch(examined.again)
        return True

    @contextmanager
    def _action_lock(self, timeout_s: float | None) -> Iterator[None]:
        """Holds the action lock. Actions that a killed process left unfinished stay so: the next action completes them.

        Raises:
            ActionBusy: Another process moves photos.
        """
        actions = self._actions
        with action_lock(actions.claims.inbox_fd, actions.inbox, timeout_s=timeout_s) as acquired:
            if not acquired:
                raise ActionBusy("another call of foodsort is moving photos")
            yield

    def _receive(self, timeout_s: float) -> None:
        """Waits for a change for at most `timeout_s`, then handles all that have come."""
        try:
            change = self._changes.get(timeout=timeout_s) if timeout_s else self._changes.get_nowait()
            with self._working:
                while True:
                    if change is not None and self._active:
                        self._handle(change)
                    change = self._changes.get_nowait()
        except queue.Empty:
            return

    def _handle(self, change: Change) -> None:
        if not change.path:
            log.info("inotify queue overflowed; scanning the folders of sorted photos", kind="drags")
            self._scan_all()
        elif not change.is_folder:
            self._touch([self._place(change.path)])
        elif os.path.isdir(change.path):
            self._folders.append(self._rescan.files_below(change.path))
        elif self._scan is None:  # its photos are elsewhere, or gone
            self._next_scan = min(self._next_scan, time.monotonic() + self._settle_s)
        else:
            self._scan_all()

    def _touch(self, places: Iterable[bytes]) -> None:
        self._settling.touch(filter(self._follower.is_sorted_place, places), time.monotonic())

    def _scan_all(self) -> None:
        self._scan = None
        self._everything = True
        self._next_scan = 0.0


def _log(examined: Examined) -> None:
    for row, file, label in examined.drags:
        photo = escape_name(row.place)
        if label is not None:
            log.info("labelled by a move", kind=DRAGGED, photo=photo, to=escape_name(file.place), label=label)
        elif row.place == file.place:
            log.info("found again", photo=photo)
        else:
            log.info("moved by hand", photo=photo, to=escape_name(file.place))
    for row in examined.lost:
        log.info("removed by hand", photo=escape_name(row.place))
