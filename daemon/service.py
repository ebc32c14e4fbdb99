"""The life of the daemon: start, recover, watch, claim, stop."""

import queue
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import structlog

from daemon import database, recovery, tree
from daemon.claim import Changed, Claims, Refused
from daemon.destinations import Destinations
from daemon.filing import Filing
from daemon.inbox import Ignore, Inbox, Look, Ready
from daemon.lock import Lock
from daemon.names import shown
from daemon.notify import notify
from daemon.pipeline import Pipeline, Returned
from daemon.progress import Progress
from daemon.results import Pending, Results
from daemon.settings import Settings
from daemon.watch import Hint, Watch
from models.bundle import Bundle
from models.engines import open_engine

log = structlog.get_logger()

_IDLE_S = 1.0  # longest sleep, so that a stopped clock or a lost wake-up costs no more


class Service:
    """One daemon on one root, from start to stop. Used by one thread."""

    def __init__(self, root: Path, settings: Settings, progress: Progress, *, once: bool, dry_run: bool) -> None:
        """Loads the model and opens folders and database. Raises FoodsortError, OSError."""
        self._settings, self._progress, self._once, self._dry_run = settings, progress, once or dry_run, dry_run
        inbox = root.absolute() / settings.folders.inbox
        self._messages: queue.SimpleQueue[Hint | Returned | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._loading = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        # Claiming asks the kernel for a lease; a writer who opens the file in that moment makes it send this.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        self._lock = None
        if not dry_run:
            inbox.mkdir(parents=True, exist_ok=True)
            self._lock = Lock(inbox)
        self._claims = Claims(inbox)
        self._destinations = Destinations(root, settings.folders, self._claims)
        address = database.url(root, settings.database.url)
        self._results = Results(database.connect(database.IN_MEMORY if dry_run else address))
        if not dry_run:
            self._destinations.make_folders()
        self._loading = True
        bundle = Bundle.load(root.absolute() / settings.model.bundle if settings.model.bundle else None)
        engine = open_engine(settings.model.engine, bundle, settings.batch.max_size)
        self._loading = False
        log.info("model ready", model=bundle.model_name, engine=engine.name)
        self._results.use_model(bundle)
        self._filing = Filing(self._destinations, self._results, self._stopping)
        self._pipeline = Pipeline(
            settings,
            bundle.card,
            engine,
            self._filing,
            give_back=self._messages.put,
            wake=lambda: self._messages.put(None),
            dry_run=dry_run,
        )
        self._ignore = Ignore(settings.watch.ignore)
        self._inbox = Inbox(settings.watch.settle_s, settings.watch.open_s, settings.watch.empty_s)
        self._watch_path = inbox
        self._strange: set[bytes] = set()
        self._tried: set[bytes] = set()  # by a dry run, which leaves them where they are
        self._next_scan = 0.0

    @property
    def counts(self) -> Counter[str]:
        """Photos filed so far, by label or `failed`."""
        return self._pipeline.counts

    @property
    def left(self) -> int:
        """Files that had to stay in the inbox because they can't be read or moved."""
        return self._inbox.refused

    def run(self) -> None:
        """Sorts until it is told to stop, or with `once` until nothing is left to wait for. Raises what ended it early."""
        watch = Watch(self._watch_path, self._ignore, self._messages.put)
        self._pipeline.start()
        try:
            self._recover()
            self._scan()
            notify("READY=1")
            log.info("watching", inbox=str(self._watch_path))
            self._loop()
        finally:
            notify("STOPPING=1")
            watch.stop()
            self._end()
        if self._pipeline.failure and not self._stopping.is_set():
            raise self._pipeline.failure

    def _loop(self) -> None:
        while not self._stopping.is_set() and self._pipeline.failure is None:
            self._claim_due()
            self._progress.show(self._pipeline.counts, len(self._inbox) + self._pipeline.in_flight)
            if self._once and self._idle():
                return
            self._handle(self._sleep_s())
            if time.monotonic() >= self._next_scan:
                self._scan()

    def _idle(self) -> bool:
        """Whether nothing is ready, settling or on its way, also after a fresh look at the whole inbox."""

        def quiet() -> bool:
            return not len(self._inbox) and not self._pipeline.in_flight and self._messages.empty()

        if quiet():
            self._scan()
        return quiet()

    def _sleep_s(self) -> float:
        wake = self._next_scan
        due = self._inbox.next_due()
        if due is not None and not self._pipeline.full:
            wake = min(wake, due)
        return min(max(wake - time.monotonic(), 0.0), _IDLE_S)

    def _handle(self, timeout_s: float) -> None:
        """Waits for a message and handles it and all that have come with it."""
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s else self._messages.get_nowait()
            while True:
                self._handle_one(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return

    def _handle_one(self, message: Hint | Returned | None) -> None:
        now = time.monotonic()
        match message:
            case Returned():
                self._wait_on(message)
            case Hint("look", path):
                self._look(path)
            case Hint("modified", path):
                self._inbox.modified(path, now)
            case Hint("closed", path):
                self._inbox.closed(path, now)
            case Hint("moved_in", path):
                look = self._look_at(path)
                if look is not None:
                    self._inbox.moved_in(path, look, now)
            case Hint("gone", path):
                # Looked for, since the halves of our own renames may come apart, and a new file may have come since.
                if self._look_at(path) is None:
                    self._inbox.gone(path)

    def _scan(self) -> None:
        """Looks at the whole inbox: events are hints, this is the truth."""
        self._look(b"")
        self._next_scan = time.monotonic() + self._settings.watch.rescan_s

    def _look(self, path: bytes) -> None:
        """Looks at a file, or at everything in a folder."""
        stat = self._claims.look(path) if path else None
        if stat is not None and tree.is_regular(stat):
            self._inbox.found(path, Look.of(stat), time.monotonic())
            return
        for found, its_stat in tree.files(self._claims.inbox, path, self._ignore):
            if found in self._tried:
                continue
            if tree.is_regular(its_stat):
                self._inbox.found(found, Look.of(its_stat), time.monotonic())
            elif found not in self._strange:
                self._strange.add(found)
                self._tell("skipped", found, "is no regular file (a link, FIFO, socket or device), so it stays")

    def _look_at(self, path: bytes) -> Look | None:
        """A look at one path, None when no regular file is there."""
        stat = self._claims.look(path)
        return Look.of(stat) if stat is not None and tree.is_regular(stat) else None

    def _claim_due(self) -> None:
        while not self._pipeline.full and not self._stopping.is_set():
            now = time.monotonic()
            path = self._inbox.due(now)
            if path is None:
                return
            ready = self._inbox.judge(path, self._look_at(path), now)
            if ready is not None:
                self._claim(ready)

    def _claim(self, ready: Ready) -> None:
        try:
            claimed = self._claims.peek(ready) if self._dry_run else self._claims.take(ready)
        except FileNotFoundError:
            self._inbox.gone(ready.path)
        except FileExistsError:  # an older photo of this name is still on its way
            self._inbox.put_back(ready.path, ready.look, time.monotonic(), self._settings.watch.settle_s)
        except Changed as change:
            look = self._look_at(ready.path)
            if look is not None and change.writing:
                self._inbox.put_back_open(ready.path, look, time.monotonic())
            elif look is not None:
                self._inbox.found(ready.path, look, time.monotonic())
        except Refused as refusal:
            self._refuse(ready.path, str(refusal))
        else:
            self._inbox.gone(ready.path)
            if self._dry_run:
                self._tried.add(ready.path)
            self._pipeline.put(claimed)

    def _wait_on(self, returned: Returned) -> None:
        """Puts a claimed photo back into the inbox."""
        claimed = returned.claimed
        path = claimed.path if self._dry_run else self._claims.give_back(claimed.path, claimed.generation)
        if returned.refused:
            self._refuse(path, returned.refused)
            return
        look = self._look_at(path)
        if look is None:
            return
        if returned.wait_s:
            self._inbox.put_back(path, look, claimed.still_since, returned.wait_s)
        else:
            self._inbox.found(path, look, time.monotonic())

    def _refuse(self, path: bytes, reason: str) -> None:
        look = self._look_at(path)
        if look is not None and self._inbox.refuse(path, look):
            self._tell("refused", path, f"{reason}; it stays in the inbox")

    def _tell(self, kind: str, path: bytes, message: str) -> None:
        log.warning(message, photo=shown(path))
        self._results.event(kind, path, message)

    def _recover(self) -> None:
        if self._dry_run:
            return

        def arrived(row: Pending) -> bool:
            return self._destinations.is_ours(row.path, row.identity, row.sha256)

        steps = list(recovery.plan(self._claims.leftovers(), self._results.pending(), arrived))
        self._filing.mend([step for step in steps if isinstance(step, recovery.Mend)])
        for step in steps:
            if isinstance(step, recovery.Adopt):
                self._adopt(step)

    def _adopt(self, step: recovery.Adopt) -> None:
        log.info("recovering", photo=shown(step.path), action="classify")
        try:
            self._pipeline.put(self._claims.again(step.path, step.generation))
        except Refused as refusal:
            self._refuse(self._claims.give_back(step.path, step.generation), str(refusal))

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        self._messages.put(None)
        if self._loading:  # nothing is begun yet that would have to be finished
            raise SystemExit(0)

    def _end(self) -> None:
        self._pipeline.stop()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                self._claims.give_back(message.claimed.path, message.claimed.generation)
        self._claims.close()
        self._results.close()
        if self._lock:
            self._lock.release()
