"""The life of the daemon: start, recover, watch, claim, change over to other settings, stop."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import structlog

from daemon.inbox.claims import Returned
from daemon.inbox.readiness import WINDOW, ReadinessTracker
from daemon.monitoring.http_server import MetricsServer
from daemon.monitoring.progress import Progress
from daemon.monitoring.systemd import Watchdog, notify
from daemon.pipeline import loaded_model
from daemon.pipeline.loaded_model import LoadedModel
from daemon.retry import RetryAborted
from daemon.service.collector import MetricsCollector
from daemon.service.loop import MainLoop
from daemon.service.reload import Reload
from daemon.service.reporter import StatusReporter
from daemon.service.runtime import ProcessContext, Runtime
from daemon.settings import Settings
from models.bundle import Bundle
from models.engines import Engine
from models.engines.idle_unload import IdleUnloadingEngine
from models.errors import FoodsortError

log = structlog.get_logger()

# Five minutes more from systemd for each step of a start that takes longest: migrating a database, loading a model.
_EXTEND = f"EXTEND_TIMEOUT_USEC={300 * 10**6}"


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

        window: how many files wait in memory at most, see ReadinessTracker.
        """
        self._root, self._progress, self._once, self._dry_run = root, progress, once or dry_run, dry_run
        self._window = window
        self._stopping = threading.Event()
        self._loading = False
        self._watchdog = Watchdog()
        self._lasting = ProcessContext(root, self._once, dry_run, self._waits)
        self._messages = self._lasting.messages
        self._endpoint: MetricsServer | None = None
        self._asked_to_reload = False
        self._reload: Reload | None = None
        session = self._plan(settings, loaded_model.load(root, settings), lambda: self._warm(session))
        self._give_up = session.give_up
        self._handle_signals()
        self._pulse = StatusReporter(root, self._lasting, session)
        try:
            if not dry_run:
                self._pulse.start()
                self._lasting.metrics.registry.register(MetricsCollector(root, self._pulse))
                self._serve_metrics(settings)
            notify(_EXTEND, "STATUS=opening folders and database")
            self._sorting = self._open(session)
        except RetryAborted:
            self._close()
            raise SystemExit(0) from None
        except BaseException:
            self._close()
            raise
        log.info("model ready", model=session.bundle.model_name, engine=session.engine.name)

    def _plan(
        self, settings: Settings, bundle: Bundle, engine: Callable[[], Engine], before: Runtime | None = None
    ) -> Runtime:
        """before: whose inbox is watched on."""
        watch = settings.watch
        inbox = (
            before.intake.tracker
            if before
            else ReadinessTracker(watch.settle_s, watch.open_s, watch.empty_s, self._window)
        )
        return Runtime(self._lasting, settings, bundle, engine, inbox, before.lookout if before else None)

    def _warm(self, session: Runtime) -> Engine:
        notify(_EXTEND, "STATUS=loading the model")
        self._loading = True
        if self._stopping.is_set():
            raise RetryAborted("stopped before the model was loaded")
        engine = loaded_model.warm(self._root, session.settings, session.bundle)
        self._loading = False
        return engine

    def _serve_metrics(self, settings: Settings) -> None:
        """Listens where the settings say, if anywhere. Raises FoodsortError, and then goes on listening where it did."""
        address = settings.metrics.address
        if address == (self._endpoint and self._endpoint.address):
            return
        fresh = MetricsServer(*address, self._lasting.metrics.registry, lambda: self._pulse.health) if address else None
        if self._endpoint:
            self._endpoint.close()
        self._endpoint = fresh

    @property
    def counts(self) -> Counter[str]:
        """Photos filed so far, by label or `failed`."""
        return self._lasting.counts

    @property
    def left(self) -> int:
        """Files that had to stay in the inbox because they can't be read or moved."""
        return self._sorting.session.intake.tracker.refused_count

    def run(self) -> None:
        """Sorts until it is told to stop, or with `once` until nothing is left to wait for. Raises what ended it early."""
        try:
            with suppress(RetryAborted):
                self._begin()
                notify("READY=1")
                self._loop()
        finally:
            notify("STOPPING=1")
            self._pulse.phase = "stopping"
            self._end()
        failure = self._sorting.session.pipeline.failure
        if failure and not self._stopping.is_set():
            raise failure

    def _begin(self) -> None:
        self._sorting.session.pipeline.start()
        self._sorting.begin()

    def _loop(self) -> None:
        while not self._stopping.is_set() and not self._sorting.over:
            self._renew()
            sorting, engine = self._sorting, self._sorting.session.engine
            sorting.round(self._beat)
            if self._once and sorting.idle():
                return
            if isinstance(engine, IdleUnloadingEngine) and engine.rest():
                log.info("the model is let go of until the next photo", engine=engine.name)
            sorting.handle(sorting.sleep_s())

    def _beat(self) -> None:
        """The loop goes round. systemd is told so as long as every stage of the pipeline moves, or waits for trouble to pass."""
        session = self._sorting.session
        self._pulse.moved()
        if session.patience.pending or session.heart.stuck is None:
            self._watchdog.feed()

    def _waits(self) -> None:
        """Trouble is being waited out, which is no standing still."""
        if threading.current_thread() is threading.main_thread():
            self._watchdog.feed()
            notify(_EXTEND)

    def _renew(self) -> None:
        """Goes on with the reading of settings and model that was asked for, if any."""
        if self._asked_to_reload and self._reload is None:
            self._asked_to_reload = False
            notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            session = self._sorting.session
            self._reload = Reload(self._root, session.settings, session.network, lambda: self._messages.put(None))
        elif self._reload and self._reload.outcome:
            outcome, self._reload = self._reload.outcome, None
            try:
                if isinstance(outcome, FoodsortError):
                    raise outcome
                self._change_over(*outcome)
            except FoodsortError as error:
                log.error("nothing was reloaded, all stays as it was", kind="reload", reason=str(error))
            notify("READY=1")

    def _change_over(self, settings: Settings, fresh: LoadedModel) -> None:
        """Sorts by other settings from the next batch on. What the old ones have claimed and not begun goes back first.

        Raises FoodsortError when they cannot be had after all, and goes on with the old ones.
        """
        self._serve_metrics(settings)
        old = self._sorting.session
        same = settings.watch == old.settings.watch and settings.folders.inbox == old.settings.folders.inbox
        watched = old if same else None
        old.give_up()
        old.halt(watch_on=same)
        self._sorting.handle(0)
        old.close()
        try:
            self._sorting = self._open(self._plan(settings, fresh.bundle, lambda: fresh.engine, watched))
        except (FoodsortError, OSError) as error:
            self._sorting = self._open(self._plan(old.settings, old.bundle, lambda: old.engine, watched))
            self._begin()
            raise FoodsortError(str(error)) from error
        self._begin()
        log.info("reloaded", model=fresh.bundle.model_name, engine=fresh.engine.name)

    def _open(self, session: Runtime) -> MainLoop:
        """Raises FoodsortError, OSError, and RetryAborted when a stop comes meanwhile."""
        self._give_up = session.give_up
        if self._stopping.is_set():  # before it could be told
            session.give_up()
        session.open()
        self._pulse.session = session
        return MainLoop(session, self._lasting, self._pulse, self._progress, self._stopping)

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup has it
            # A terminal says by it that it is gone.
            ends = self._once or (sys.stdin and sys.stdin.isatty())
            signal.signal(signal.SIGHUP, self._stop if ends else self._ask_to_reload)
        # Claiming asks the kernel for a lease; a writer who opens the file in that moment makes it send this.
        signal.signal(signal.SIGIO, signal.SIG_IGN)

    def _ask_to_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._asked_to_reload = True
        self._messages.put(None)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():  # asked twice: the next start mends what is left half done now
            self._progress.stop()
            os.write(2, b"foodsort: stopped at once; what was in hand is finished at the next start\n")
            os._exit(1)
        self._stopping.set()
        self._give_up()
        self._messages.put(None)
        if self._loading:  # nothing is begun yet that would have to be finished
            raise SystemExit(0)

    def _end(self) -> None:
        session = self._sorting.session
        session.halt()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                session.store.hold.claims.give_back(message.claimed.path, message.claimed.run_id)
        session.close()
        if self._reload:
            self._reload.join()
        self._close()

    def _close(self) -> None:
        if self._endpoint:
            self._endpoint.close()
        if not self._dry_run:
            self._pulse.stop()
