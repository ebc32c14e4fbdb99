"""The life cycle of the daemon: start, main loop, signals, reload and stop."""

import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import structlog

from daemon.inbox.claimed_photo import Returned
from daemon.inbox.window import WINDOW
from daemon.monitoring.http_server import MetricsEndpoint
from daemon.monitoring.progress import Progress
from daemon.monitoring.systemd import EXTEND_TIMEOUT, Watchdog, notify
from daemon.pipeline import loaded_model
from daemon.registry.watch import ModelsWatch
from daemon.retry import RetryAborted
from daemon.service.auto_learning import AutoLearning
from daemon.service.collector import MetricsCollector
from daemon.service.reload import Reload
from daemon.service.runtime import ProcessContext
from daemon.service.signals import Signals
from daemon.service.switch import RuntimeSwitch
from daemon.settings import Settings
from models.engines.idle_unload import IdleUnloadingEngine
from models.errors import FoodsortError

log = structlog.get_logger()


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
        self._models_watch = ModelsWatch(root)
        self._auto_learning = AutoLearning(root, self._report_learning)
        self._watchdog = Watchdog()
        self._window = window
        self._endpoint = MetricsEndpoint(self._metrics.registry, lambda: self._switch.reporter.health)
        self._signals = Signals(on_stop=self._abort, on_exit=progress.stop, on_reload=self._wake)
        self._stopping = self._signals.stopping
        self._reload: Reload | None = None
        self._switch: RuntimeSwitch

    @property
    def counts(self) -> Counter[str]:
        """Photos filed so far, by destination; `failed` for `failed/`."""
        return self._metrics.counts

    @property
    def left(self) -> int:
        """Number of files that stay in the inbox because they cannot be read or moved."""
        return self._switch.runtime.tracker.refused_count

    def start(self) -> None:
        """Loads the model, opens folders and database, and starts to report.

        Raises:
            FoodsortError: The model, the inbox, the database or the address for metrics cannot be used.
            OSError: A folder cannot be used.
            SystemExit: A signal stops the daemon.
        """
        bundle = loaded_model.load(self._root, self._settings, candidate=not self._dry_run)
        self._switch = RuntimeSwitch(
            self._context,
            self._settings,
            bundle,
            signals=self._signals,
            progress=self._progress,
            heartbeat=self._heartbeat,
            window=self._window,
        )
        self._signals.install(hangup_stops=self._once)
        try:
            self._start_reporting()
            notify(EXTEND_TIMEOUT, "STATUS=opening folders and database")
            self._switch.open()
        except RetryAborted:
            self._stop_reporting()
            self._signals.restore()
            raise SystemExit(0) from None
        except BaseException:
            self._stop_reporting()
            self._signals.restore()
            raise
        log.info("model ready", model=bundle.model_name, engine=self._switch.runtime.model.engine.name)

    def run(self) -> None:
        """Sorts until a signal stops it, or with `once` until the inbox is done.

        Raises:
            BaseException: Whatever ended a thread of the pipeline.
        """
        try:
            with suppress(RetryAborted):
                self._switch.begin()
                notify("READY=1")
                self._run_loop()
        finally:
            notify("STOPPING=1")
            self._switch.reporter.set_phase("stopping")
            self._end()
            self._signals.restore()
        failure = self._switch.runtime.pipeline.failure
        if failure and not self._stopping.is_set():
            raise failure

    def _run_loop(self) -> None:
        while not self._stopping.is_set() and not self._switch.loop.failed:
            self._poll_reload()
            loop = self._switch.loop
            loop.tick()
            if self._once and loop.idle():
                return
            if not self._once:
                self._auto_learning.tick(self._switch.runtime.settings, idle=loop.is_quiet())
            engine = self._switch.runtime.model.engine
            if isinstance(engine, IdleUnloadingEngine) and engine.unload_if_idle():
                log.info("model unloaded until the next photo", engine=engine.name)
            loop.handle(loop.sleep_s())

    def _heartbeat(self) -> None:
        """Feeds systemd's watchdog while every stage of the pipeline moves or the daemon waits for trouble to pass."""
        self._switch.reporter.tick()
        if self._switch.runtime.retrier.pending or self._metrics.stages.stuck is None:
            self._watchdog.feed()

    def _on_wait(self) -> None:
        """Feeds systemd's watchdog before a pause of a retry: the main thread is not stuck."""
        if threading.current_thread() is threading.main_thread():
            self._watchdog.feed()
            notify(EXTEND_TIMEOUT)

    def _poll_reload(self) -> None:
        """Starts a reload that a signal or another model asks for, or applies one that is done."""
        if self._reload is None and not self._once and self._other_models():
            self._signals.reload_requested = True
        if self._signals.reload_requested and self._reload is None:
            self._signals.reload_requested = False
            notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            runtime = self._switch.runtime
            self._reload = Reload(self._root, runtime.settings, runtime.model, done=self._wake)
        elif self._reload and self._reload.outcome:
            outcome = self._reload.outcome
            self._reload = None
            try:
                if isinstance(outcome, FoodsortError):
                    raise outcome
                self._endpoint.serve(outcome.settings.metrics.address)
                self._switch.apply(outcome)
            except FoodsortError as error:
                log.error("reload failed; keeping the current settings", kind="reload", reason=str(error))
            notify("READY=1")

    def _report_learning(self, problem: str) -> None:
        self._switch.runtime.storage.event_log.record("learning", f"no candidate was made: {problem}")

    def _other_models(self) -> bool:
        runtime = self._switch.runtime
        in_use = tuple(model.sha256 for model in runtime.bundle.all_models)
        return self._models_watch.changed(runtime.settings.model.bundle, in_use)

    def _abort(self) -> None:
        self._switch.abort_retries()
        self._wake()

    def _wake(self) -> None:
        self._messages.put(None)

    def _start_reporting(self) -> None:
        if not self._dry_run:
            self._switch.reporter.start()
            self._metrics.registry.register(MetricsCollector(self._context, self._switch.reporter))
            self._endpoint.serve(self._settings.metrics.address)

    def _stop_reporting(self) -> None:
        self._endpoint.close()
        if not self._dry_run:
            self._switch.reporter.stop()

    def _end(self) -> None:
        runtime = self._switch.runtime
        runtime.halt()
        while not self._messages.empty():
            message = self._messages.get()
            if isinstance(message, Returned) and not self._dry_run:
                runtime.storage.claims.give_back(message.claimed.path, message.claimed.run_id)
        runtime.close()
        if self._reload:
            self._reload.join()
        self._stop_reporting()
