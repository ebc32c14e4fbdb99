"""The life cycle of the daemon: start, main loop, signals, reload and stop."""

import threading
import time
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import structlog

from daemon.inbox.claimed_photo import Returned
from daemon.inbox.readiness import ReadinessTracker
from daemon.inbox.window import WINDOW
from daemon.monitoring.http_server import MetricsEndpoint
from daemon.monitoring.progress import Progress
from daemon.monitoring.systemd import Watchdog, notify
from daemon.pipeline import loaded_model
from daemon.retry import RetryAborted
from daemon.service.collector import MetricsCollector
from daemon.service.loop import MainLoop
from daemon.service.reload import Reload, Reloaded
from daemon.service.reporter import StatusReporter
from daemon.service.runtime import ProcessContext, Runtime, RuntimePlan
from daemon.service.signals import Signals
from daemon.settings import Settings
from models.bundle import Bundle
from models.engines.base import Engine
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
        self._endpoint = MetricsEndpoint(self._metrics.registry, lambda: self._reporter.health)
        self._signals = Signals(on_stop=self._abort, on_exit=progress.stop, on_reload=self._wake)
        self._stopping = self._signals.stopping
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
        self._signals.install(hangup_stops=self._once)
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
            if isinstance(engine, IdleUnloadingEngine) and engine.unload_if_idle():
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
        with self._signals.exit_on_stop():
            if self._stopping.is_set():
                raise RetryAborted("stopped before the model was loaded")
            return loaded_model.warm(self._root, settings, bundle)

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
        if self._signals.reload_requested and self._reload is None:
            self._signals.reload_requested = False
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
        self._endpoint.serve(settings.metrics.address)
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

    def _abort(self) -> None:
        self._newest_runtime.abort_retries()
        self._wake()

    def _wake(self) -> None:
        self._messages.put(None)

    def _start_reporting(self) -> None:
        if not self._dry_run:
            self._reporter.start()
            self._metrics.registry.register(MetricsCollector(self._context, self._reporter))
            self._endpoint.serve(self._settings.metrics.address)

    def _stop_reporting(self) -> None:
        self._endpoint.close()
        if not self._dry_run:
            self._reporter.stop()

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
