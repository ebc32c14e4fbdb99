"""The life of the daemon: start, recover, watch, claim, stop."""

import queue
import signal
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType

import structlog

from daemon.decoders.pool import Decoders
from daemon.endpoint import Endpoint
from daemon.filing import Filing
from daemon.gauges import Gauges
from daemon.inbox import WINDOW
from daemon.intake import Intake
from daemon.lookout import Lookout
from daemon.metrics import Metrics
from daemon.notify import notify
from daemon.patience import GivenUp, Patience
from daemon.pipeline import Pipeline, Returned
from daemon.progress import Progress
from daemon.pulse import Pulse
from daemon.settings import Settings
from daemon.store import Store
from daemon.takeover import Takeover
from daemon.watch import Hint
from models.bundle import Bundle
from models.engines import open_engine

log = structlog.get_logger()

_IDLE_S = 1.0  # longest sleep, so that a stopped clock or a lost wake-up costs no more


class Service:
    """One daemon on one root, from start to stop. Used by one thread."""

    def __init__(
        self,
        root: Path,
        settings: Settings,
        progress: Progress,
        *,
        once: bool,
        dry_run: bool,
        window: int = WINDOW,
    ) -> None:
        """Loads the model and opens folders and database. Raises FoodsortError, OSError.

        window: how many files wait in memory at most, see Inbox.
        """
        self._settings, self._progress, self._once, self._dry_run = settings, progress, once or dry_run, dry_run
        self._messages: queue.SimpleQueue[Hint | Returned | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._loading = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        # Claiming asks the kernel for a lease; a writer who opens the file in that moment makes it send this.
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        self._patience = Patience(self._stopping)
        self._metrics, self._pulse = Metrics(), Pulse(root, self._patience)
        self._next_scan = 0.0
        self._window = window
        self._opened = ExitStack()
        try:
            self._open(root)
        except GivenUp:
            self._opened.close()
            raise SystemExit(0) from None
        except BaseException:
            self._opened.close()
            raise

    def _open(self, root: Path) -> None:
        settings, dry_run = self._settings, self._dry_run
        if not dry_run:
            self._pulse.start()
            self._opened.callback(self._pulse.stop)
            self._serve_metrics(root)
        store = Store(root, settings, self._patience, once=self._once, dry_run=dry_run)
        self._opened.callback(store.close)
        if self._stopping.is_set():
            raise GivenUp("stopped before the model was loaded")
        self._loading = True
        self._bundle = bundle = Bundle.load(root.absolute() / settings.model.bundle if settings.model.bundle else None)
        store.use_model(bundle)
        # While the process is small: the networks' libraries bring hundreds of megabytes and threads.
        decoders = Decoders(bundle.card.fit, settings.images.max_pixels, settings.images.timeout_s)
        self._opened.callback(decoders.close)
        model = settings.model
        network = open_engine(model.engine, bundle, settings.batch.max_size, model.precision)
        self._loading = False
        log.info("model ready", model=bundle.model_name, engine=network.name)
        filing = Filing(
            *(store.destinations, store.results, self._patience), skip_duplicates=settings.images.duplicates == "skip"
        )
        self._pipeline = Pipeline(
            settings,
            bundle.card,
            network,
            filing,
            decoders,
            give_back=self._messages.put,
            wake=lambda: self._messages.put(None),
            metrics=self._metrics,
            dry_run=dry_run,
        )
        self._store, self._hold = store, store.hold
        self._intake = Intake(
            *(settings.watch, store.hold.claims, self._pipeline, store.results, self._patience, store.tell),
            dry_run=dry_run,
            window=self._window,
        )
        self._takeover = Takeover(store, filing, self._pipeline, self._intake, self._patience)
        self._lookout = Lookout(settings.watch, store.hold, self._messages.put, store.tell)
        self._pulse.bundle, self._pulse.engine = bundle, network
        self._pulse.pipeline, self._pulse.lookout = self._pipeline, self._lookout

    def _serve_metrics(self, root: Path) -> None:
        if (address := self._settings.metrics.address) is not None:
            self._metrics.registry.register(Gauges(root, self._pulse))
            self._opened.callback(Endpoint(*address, self._metrics.registry, self._pulse).close)

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
        self._pipeline.start()
        try:
            with suppress(GivenUp):
                self._begin()
                notify("READY=1")
                self._loop()
        finally:
            notify("STOPPING=1")
            self._pulse.phase = "stopping"
            self._end()
        if self._pipeline.failure and not self._stopping.is_set():
            raise self._pipeline.failure

    def _begin(self) -> None:
        """Watches the inbox that is held now, and takes up what an earlier life left."""
        self._pulse.moved()
        self._lookout.open(prove=not self._dry_run)
        if not self._dry_run:
            self._takeover()
        self._scan()
        self._pulse.phase = "running"
        log.info("watching", inbox=str(self._hold.path), events=self._lookout.kind)

    def _loop(self) -> None:
        while not self._stopping.is_set() and self._pipeline.failure is None:
            self._pulse.moved()
            if why := self._hold.lost():
                self._wait_for_inbox(why)
                continue
            self._list()
            while not self._pipeline.full and not self._stopping.is_set() and self._intake.claim_next():
                self._pulse.moved()
            self._show()
            if self._once and self._idle():
                return
            self._handle(self._sleep_s())

    def _show(self) -> None:
        inbox = self._intake.inbox
        self._progress.show(self._pipeline.counts, len(inbox) + self._pipeline.in_flight)
        self._pulse.see(inbox, more=self._intake.listing)

    def _wait_for_inbox(self, why: str) -> None:
        """Finishes what is held, then waits until there is a folder at the inbox's path, and begins anew with that."""
        self._store.tell("inbox_lost", f"the inbox {self._hold.path} is gone ({why}); sorting goes on when it is back")
        self._patience.wait("inbox", f"the inbox {self._hold.path} is gone: {why}")
        self._lookout.close()
        while self._pipeline.in_flight and not self._stopping.is_set() and self._pipeline.failure is None:
            self._handle(_IDLE_S)
        self._handle(0)  # the last ones that came back
        self._hold.let_go()
        self._intake.forget()
        if self._pipeline.failure is None and self._hold.wait(self._patience, self._stopping):
            self._store.open_database_again(self._bundle)
            self._store.tell("inbox_back", f"the inbox {self._hold.path} is back")
            self._begin()

    def _idle(self) -> bool:
        """Whether nothing is ready, settling or on its way, also after a fresh look at the whole inbox."""

        def quiet() -> bool:
            at_rest = not self._pipeline.in_flight and self._messages.empty()
            return at_rest and not self._intake.listing and not len(self._intake.inbox)

        if not quiet():
            return False
        self._scan()
        while self._intake.listing and not len(self._intake.inbox) and not self._stopping.is_set():
            self._intake.list_more()
        return quiet()

    def _sleep_s(self) -> float:
        if self._intake.may_list:
            return 0.0
        wake = self._next_scan
        due = self._intake.next_due()
        if due is not None and not self._pipeline.full:
            wake = min(wake, due)
        return min(max(wake - time.monotonic(), 0.0), _IDLE_S)

    def _handle(self, timeout_s: float) -> None:
        """Waits for a message and handles it and all that have come with it."""
        try:
            message = self._messages.get(timeout=timeout_s) if timeout_s else self._messages.get_nowait()
            while True:
                if isinstance(message, Hint) and message.kind == "unwatched":
                    self._lookout.unwatched()
                elif message is not None:
                    self._intake.handle(message)
                message = self._messages.get_nowait()
        except queue.Empty:
            return

    def _list(self) -> None:
        """Goes on with a listing of the inbox, or begins one when it is time to; that counts from the end of the last."""
        if self._intake.listing:
            self._intake.list_more()
            self._next_scan = time.monotonic() + self._lookout.look_every_s
        elif time.monotonic() >= self._next_scan:
            self._lookout.renew()
            self._scan()

    def _scan(self) -> None:
        """Begins a listing of the whole inbox: events are hints, this is the truth."""
        self._hold.claims.settle()
        self._intake.scan()

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._stopping.set()
        self._messages.put(None)
        if self._loading:  # nothing is begun yet that would have to be finished
            raise SystemExit(0)

    def _end(self) -> None:
        self._lookout.close()
        self._intake.stop_listing()
        self._pipeline.stop()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                self._hold.claims.give_back(message.claimed.path, message.claimed.generation)
        self._opened.close()
