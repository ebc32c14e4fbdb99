"""The life cycle of the daemon: start, main loop, signals, reload and stop."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import FrameType

import structlog

from daemon.inbox.claims import Returned
from daemon.inbox.readiness import WINDOW, ReadinessTracker
from daemon.monitoring.http_server import MetricsServer
from daemon.monitoring.progress import Progress
from daemon.monitoring.systemd import Watchdog, notify
from daemon.pipeline import loaded_model
from daemon.retry import RetryAborted
from daemon.service.collector import MetricsCollector
from daemon.service.loop import MainLoop
from daemon.service.reload import Reload, Reloaded
from daemon.service.reporter import StatusReporter
from daemon.service.runtime import ProcessContext, Runtime, RuntimePlan
from daemon.settings import Settings
from models.bundle import Bundle
from models.engines import Engine
from models.engines.idle_unload import IdleUnloadingEngine
from models.errors import FoodsortError

log = structlog.get_logger()

# Five more minutes from systemd for each of the longest steps of a start: migrating a database, loading a model.
_EXTEND = f"EXTEND_TIMEOUT_USEC={300 * 10**6}"


class Service:
    """One daemon on one root. Used by one thread: `start`, then `run`."""

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
        """Prepares the daemon.

        Args:
            root: The root.
            settings: Its settings.
            progress: Progress bar.
            once: Whether it ends when the inbox is done.
            dry_run: Whether it changes nothing, and ends when the inbox is done.
            window: Most files that wait in memory; see `ReadinessTracker`.
        """
        self._root = root
        self._settings = settings
        self._progress = progress
        self._once = once or dry_run
        self._dry_run = dry_run
        self._context = ProcessContext(root, once=self._once, dry_run=dry_run, on_wait=self._on_wait)
        self._messages = self._context.messages
        self._metrics = self._context.metrics
        self._watchdog = Watchdog()
        self._window = window
        self._server: MetricsServer | None = None
        self._stopping = threading.Event()
        self._loading_model = False
        self._reload_requested = False
        self._reload: Reload | None = None
        self._newest_runtime: Runtime
        """The runtime that is open or about to be opened."""
        self._reporter: StatusReporter
        self._loop: MainLoop

    @property
    def counts(self) -> Counter[str]:
        """Photos filed so far, by destination; `failed` for `failed/`."""
        return self._metrics.counts

    @property
    def left(self) -> int:
        """Number of files that stay in the inbox because they cannot be read or moved."""
        return self._runtime.tracker.refused_count

    @property
    def _runtime(self) -> Runtime:
        """The runtime that was opened last."""
        return self._loop.runtime

    def start(self) -> None:
        """Loads the model, opens folders and database, and starts to report.

        Raises:
            FoodsortError: The model, the inbox, the database or the address for metrics cannot be used.
            OSError: A folder cannot be used.
            SystemExit: A signal stops the daemon.
        """
        bundle = loaded_model.load(self._root, self._settings)
        runtime = self._prepare(RuntimePlan(self._settings, bundle, partial(self._warm, self._settings, bundle)))
        self._reporter = StatusReporter(self._context, runtime)
        self._handle_signals()
        try:
            self._start_reporting()
            notify(_EXTEND, "STATUS=opening folders and database")
            self._open(runtime)
        except RetryAborted:
            self._stop_reporting()
            raise SystemExit(0) from None
        except BaseException:
            self._stop_reporting()
            raise
        log.info("model ready", model=bundle.model_name, engine=runtime.model.engine.name)

    def run(self) -> None:
        """Sorts until a signal stops it, or with `once` until the inbox is done.

        Raises:
            BaseException: Whatever ended a thread of the pipeline.
        """
        try:
            with suppress(RetryAborted):
                self._begin()
                notify("READY=1")
                self._run_loop()
        finally:
            notify("STOPPING=1")
            self._reporter.set_phase("stopping")
            self._end()
        failure = self._runtime.pipeline.failure
        if failure and not self._stopping.is_set():
            raise failure

    def _begin(self) -> None:
        self._runtime.pipeline.start()
        self._loop.begin()

    def _run_loop(self) -> None:
        while not self._stopping.is_set() and not self._loop.failed:
            self._poll_reload()
            loop = self._loop
            loop.tick()
            if self._once and loop.idle():
                return
            engine = self._runtime.model.engine
            if isinstance(engine, IdleUnloadingEngine) and engine.rest():
                log.info("model unloaded until the next photo", engine=engine.name)
            loop.handle(loop.sleep_s())

    def _heartbeat(self) -> None:
        """Feeds systemd's watchdog while every stage of the pipeline moves or the daemon waits for trouble to pass."""
        self._reporter.tick()
        if self._runtime.retrier.pending or self._metrics.stages.stuck is None:
            self._watchdog.feed()

    def _on_wait(self) -> None:
        """Feeds systemd's watchdog before a pause of a retry: the main thread is not stuck."""
        if threading.current_thread() is threading.main_thread():
            self._watchdog.feed()
            notify(_EXTEND)

    def _prepare(self, plan: RuntimePlan, *, previous: Runtime | None = None) -> Runtime:
        """Prepares a runtime that keeps tracker and watcher of a previous one with the same inbox."""
        watch = plan.settings.watch
        if previous:
            runtime = Runtime(self._context, plan, previous.tracker, previous.watcher)
        else:
            tracker = ReadinessTracker(watch.settle_s, watch.open_s, watch.empty_s, self._window)
            runtime = Runtime(self._context, plan, tracker)
        self._newest_runtime = runtime
        return runtime

    def _warm(self, settings: Settings, bundle: Bundle) -> Engine:
        notify(_EXTEND, "STATUS=loading the model")
        self._loading_model = True
        if self._stopping.is_set():
            raise RetryAborted("stopped before the model was loaded")
        engine = loaded_model.warm(self._root, settings, bundle)
        self._loading_model = False
        return engine

    def _open(self, runtime: Runtime) -> None:
        """Opens a runtime and makes it the current one.

        Raises:
            FoodsortError: The inbox, the database or the model cannot be used.
            OSError: A folder cannot be used.
            RetryAborted: A signal stops the daemon.
        """
        if self._stopping.is_set():  # the signal may have come before this was the newest runtime
            runtime.abort_retries()
        runtime.open()
        self._reporter.set_runtime(runtime)
        self._loop = MainLoop(
            self._context,
            runtime,
            reporter=self._reporter,
            progress=self._progress,
            heartbeat=self._heartbeat,
            stopping=self._stopping,
        )

    def _poll_reload(self) -> None:
        """Starts a requested reload, or applies one that is done."""
        if self._reload_requested and self._reload is None:
            self._reload_requested = False
            notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            runtime = self._runtime
            self._reload = Reload(self._root, runtime.settings, runtime.model, done=self._wake)
        elif self._reload and self._reload.outcome:
            outcome = self._reload.outcome
            self._reload = None
            try:
                if isinstance(outcome, FoodsortError):
                    raise outcome
                self._apply(outcome)
            except FoodsortError as error:
                log.error("reload failed; keeping the current settings", kind="reload", reason=str(error))
            notify("READY=1")

    def _apply(self, reloaded: Reloaded) -> None:
        """Sorts by new settings from the next batch on; claimed photos that wait for the network go back first.

        Raises:
            FoodsortError: The new settings cannot be used; the old ones are in use again.
        """
        settings, model = reloaded
        self._serve_metrics(settings)
        old = self._runtime
        same_inbox = settings.watch == old.settings.watch and settings.folders.inbox == old.settings.folders.inbox
        previous = old if same_inbox else None
        old.abort_retries()
        old.halt(keep_watching=same_inbox)
        self._loop.handle(0)
        old.close()
        try:
            plan = RuntimePlan(settings, model.bundle, open_engine=lambda: model.engine)
            self._open(self._prepare(plan, previous=previous))
        except (FoodsortError, OSError) as error:
            plan = RuntimePlan(old.settings, old.bundle, open_engine=lambda: old.model.engine)
            self._open(self._prepare(plan, previous=previous))
            self._begin()
            raise FoodsortError(str(error)) from error
        self._begin()
        log.info("reloaded", model=model.bundle.model_name, engine=model.engine.name)

    def _handle_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_stop_signal)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
            # A terminal sends it when it is closed.
            stops = self._once or (sys.stdin and sys.stdin.isatty())
            signal.signal(signal.SIGHUP, self._on_stop_signal if stops else self._on_reload_signal)
        # A claim asks the kernel for a lease; the kernel sends this when a writer opens the file in that moment.
        signal.signal(signal.SIGIO, signal.SIG_IGN)

    def _on_reload_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._reload_requested = True
        self._wake()

    def _on_stop_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self._stopping.is_set():  # the second signal
            self._progress.stop()
            os.write(2, b"foodsort: stopped immediately; photos in flight will be recovered at the next start\n")
            os._exit(1)
        self._stopping.set()
        self._newest_runtime.abort_retries()
        self._wake()
        if self._loading_model:  # no photo is in flight yet
            raise SystemExit(0)

    def _wake(self) -> None:
        self._messages.put(None)

    def _start_reporting(self) -> None:
        if not self._dry_run:
            self._reporter.start()
            self._metrics.registry.register(MetricsCollector(self._context, self._reporter))
            self._serve_metrics(self._settings)

    def _stop_reporting(self) -> None:
        if self._server:
            self._server.close()
        if not self._dry_run:
            self._reporter.stop()

    def _serve_metrics(self, settings: Settings) -> None:
        """Serves metrics at the address in the settings, if any.

        Raises:
            FoodsortError: The address is not available; the old one is still served.
        """
        address = settings.metrics.address
        if address == (self._server and self._server.address):
            return
        server = None
        if address:
            host, port = address
            server = MetricsServer(host, port, self._metrics.registry, lambda: self._reporter.health)
        if self._server:
            self._server.close()
        self._server = server

    def _end(self) -> None:
        runtime = self._runtime
        runtime.halt()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                runtime.storage.claims.give_back(message.claimed.path, message.claimed.run_id)
        runtime.close()
        if self._reload:
            self._reload.join()
        self._stop_reporting()
