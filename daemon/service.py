"""The life of the daemon: start, recover, watch, claim, stop."""

import queue
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType

import structlog

from daemon import database, faults, recovery
from daemon.claim import Claims, Refused
from daemon.decoders.pool import Decoders
from daemon.destinations import Destinations
from daemon.filing import Filing
from daemon.intake import Intake
from daemon.lock import Lock, turn
from daemon.notify import notify
from daemon.pipeline import Pipeline, Returned
from daemon.progress import Progress
from daemon.results import Pending, Results
from daemon.settings import Settings
from daemon.takeback import Takeback
from daemon.watch import Hint, Watch
from models.bundle import Bundle
from models.engines import open_engine
from models.names import shown

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
        engine = database.connect(database.IN_MEMORY if dry_run else address)
        self._results = Results(engine)
        self._takeback = Takeback(root, settings.folders, self._claims, engine)
        if not dry_run:
            self._destinations.make_folders()
        self._loading = True
        bundle = Bundle.load(root.absolute() / settings.model.bundle if settings.model.bundle else None)
        self._results.use_model(bundle)
        # While the process is small: the networks' libraries bring hundreds of megabytes and threads.
        self._decoders = Decoders(bundle.card.fit, settings.images.max_pixels, settings.images.timeout_s)
        try:
            network = open_engine(settings.model.engine, bundle, settings.batch.max_size)
        except BaseException:
            self._decoders.close()
            raise
        self._loading = False
        log.info("model ready", model=bundle.model_name, engine=network.name)
        self._filing = Filing(
            *(self._destinations, self._results, self._stopping), skip_duplicates=settings.images.duplicates == "skip"
        )
        self._pipeline = Pipeline(
            settings,
            bundle.card,
            network,
            self._filing,
            self._decoders,
            give_back=self._messages.put,
            wake=lambda: self._messages.put(None),
            dry_run=dry_run,
        )
        self._intake = Intake(settings.watch, self._claims, self._pipeline, self._results, dry_run=dry_run)
        self._watch_path = inbox
        self._next_scan = 0.0

    @property
    def counts(self) -> Counter[str]:
        """Photos filed so far, by label or `failed`."""
        return self._pipeline.counts

    @property
    def left(self) -> int:
        """Files that had to stay in the inbox because they can't be read or moved."""
        return self._intake.inbox.refused

    def run(self) -> None:
        """Sorts until it is told to stop, or with `once` until nothing is left to wait for. Raises what ended it early."""
        watch = Watch(self._watch_path, self._intake.ignore, self._messages.put)
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
            while not self._pipeline.full and not self._stopping.is_set() and self._intake.claim_next():
                pass
            self._progress.show(self._pipeline.counts, len(self._intake.inbox) + self._pipeline.in_flight)
            if self._once and self._idle():
                return
            self._handle(self._sleep_s())
            if time.monotonic() >= self._next_scan:
                self._scan()

    def _idle(self) -> bool:
        """Whether nothing is ready, settling or on its way, also after a fresh look at the whole inbox."""

        def quiet() -> bool:
            return not len(self._intake.inbox) and not self._pipeline.in_flight and self._messages.empty()

        if quiet():
            self._scan()
        return quiet()

    def _sleep_s(self) -> float:
        wake = self._next_scan
        due = self._intake.inbox.next_due()
        if due is not None and not self._pipeline.full:
            wake = min(wake, due)
        return min(max(wake - time.monotonic(), 0.0), _IDLE_S)

    def _handle(self, timeout_s: float) -> None:
        """Waits for a message and handles it and all that have come with it."""
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s else self._messages.get_nowait()
            while True:
                if message is not None:
                    self._intake.handle(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return

    def _scan(self) -> None:
        """Looks at the whole inbox: events are hints, this is the truth."""
        self._intake.scan()
        self._next_scan = time.monotonic() + self._settings.watch.rescan_s

    def _recover(self) -> None:
        if self._dry_run:
            return

        def arrived(row: Pending, claimed: bool) -> bool:
            return self._destinations.is_ours(row.path, row.identity, row.sha256, claimed=claimed)

        with turn(self._watch_path, wait=lambda: False) as ours:  # else somebody is at it, and alive
            for back in self._takeback.mend() if ours else ():
                log.info("recovering", photo=shown(back.photo.inbox_path), action="back", problem=back.problem)
        steps = list(recovery.plan(self._claims.leftovers(), self._results.pending(), arrived))
        self._filing.mend([step for step in steps if isinstance(step, recovery.Mend)])
        faults.point("mended")
        for step in steps:
            if isinstance(step, recovery.Adopt):
                self._adopt(step)

    def _adopt(self, step: recovery.Adopt) -> None:
        log.info("recovering", photo=shown(step.path), action="classify")
        try:
            self._pipeline.put(self._claims.again(step.path, step.generation))
        except Refused as refusal:
            self._intake.refuse(self._claims.give_back(step.path, step.generation), str(refusal))

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        self._messages.put(None)
        if self._loading:  # nothing is begun yet that would have to be finished
            raise SystemExit(0)

    def _end(self) -> None:
        self._pipeline.stop()
        self._decoders.close()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                self._claims.give_back(message.claimed.path, message.claimed.generation)
        self._claims.close()
        self._results.close()
        if self._lock:
            self._lock.release()
