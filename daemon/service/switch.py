"""The current runtime: opens the first one, and switches to another one after a reload."""

from collections.abc import Callable
from functools import partial

import structlog

from daemon.inbox.readiness import ReadinessTracker
from daemon.monitoring.progress import Progress
from daemon.monitoring.systemd import EXTEND_TIMEOUT, notify
from daemon.pipeline import loaded_model
from daemon.pipeline.loaded_model import LoadedModel
from daemon.retry import RetryAborted
from daemon.service.loop import MainLoop
from daemon.service.reload import Reloaded
from daemon.service.reporter import StatusReporter
from daemon.service.runtime import ProcessContext, Runtime, RuntimePlan
from daemon.service.signals import Signals
from daemon.settings import Settings
from models.bundle import Bundle
from models.errors import FoodsortError

log = structlog.get_logger()


class RuntimeSwitch:
    """Holds one open runtime and its main loop. Used by one thread, except `abort_retries`.

    Attributes:
        reporter: Reports about the runtime.
        loop: Main loop of the runtime that was opened last; exists after `open`.
    """

    def __init__(
        self,
        context: ProcessContext,
        settings: Settings,
        bundle: Bundle,
        *,
        signals: Signals,
        progress: Progress,
        heartbeat: Callable[[], None],
        window: int,
    ) -> None:
        """Prepares the first runtime.

        Args:
            context: What outlives a runtime.
            settings: The first settings.
            bundle: Their model.
            signals: A stop signal ends the opening of a runtime.
            progress: Progress bar.
            heartbeat: Called often while a main loop moves.
            window: Most files that wait in memory; see `ReadinessTracker`.
        """
        self._context = context
        self._signals = signals
        self._progress = progress
        self._heartbeat = heartbeat
        self._window = window
        self._newest = self._prepare(RuntimePlan(settings, bundle, partial(self._warm, settings, bundle)))
        """The runtime that is open or about to be opened."""
        self.reporter = StatusReporter(context, self._newest)
        self.loop: MainLoop

    @property
    def runtime(self) -> Runtime:
        """The runtime that was opened last."""
        return self.loop.runtime

    def open(self) -> None:
        """Opens the newest runtime and makes it the current one.

        Raises:
            FoodsortError: The inbox, the database or the model cannot be used.
            OSError: A folder cannot be used.
            RetryAborted: A signal stops the daemon.
        """
        runtime = self._newest
        if self._signals.stopping.is_set():  # the signal may have come before this was the newest runtime
            runtime.abort_retries()
        runtime.open()
        self.reporter.set_runtime(runtime)
        self.loop = MainLoop(
            self._context,
            runtime,
            reporter=self.reporter,
            progress=self._progress,
            heartbeat=self._heartbeat,
            stopping=self._signals.stopping,
        )

    def begin(self) -> None:
        """Starts the pipeline and the main loop. Raises RetryAborted."""
        self.runtime.pipeline.start()
        self.loop.begin()

    def apply(self, reloaded: Reloaded) -> None:
        """Sorts by new settings from the next batch on; claimed photos that wait for the network go back first.

        Raises:
            FoodsortError: The new settings cannot be used; the old ones are in use again.
            RetryAborted: A signal stops the daemon.
        """
        settings, model = reloaded
        old = self.runtime
        same_inbox = settings.watch == old.settings.watch and settings.folders.inbox == old.settings.folders.inbox
        previous = old if same_inbox else None
        old.abort_retries()
        old.halt(keep_watching=same_inbox)
        self.loop.handle(0)
        old.close()
        try:
            plan = RuntimePlan(settings, model.bundle, open_model=lambda: model)
            self._newest = self._prepare(plan, previous=previous)
            self.open()
        except (FoodsortError, OSError) as error:
            plan = RuntimePlan(old.settings, old.bundle, open_model=lambda: old.model)
            self._newest = self._prepare(plan, previous=previous)
            self.open()
            self.begin()
            raise FoodsortError(str(error)) from error
        self.begin()
        log.info("reloaded", model=model.bundle.model_name, engine=model.engine.name)

    def abort_retries(self) -> None:
        """Ends all waiting for trouble to pass. Called by signal handlers."""
        self._newest.abort_retries()

    def _prepare(self, plan: RuntimePlan, *, previous: Runtime | None = None) -> Runtime:
        """Prepares a runtime that keeps tracker and watcher of a previous one with the same inbox."""
        if previous:
            return Runtime(self._context, plan, previous.tracker, previous.watcher)
        watch = plan.settings.watch
        tracker = ReadinessTracker(watch.settle_s, watch.open_s, watch.empty_s, self._window)
        return Runtime(self._context, plan, tracker)

    def _warm(self, settings: Settings, bundle: Bundle) -> LoadedModel:
        notify(EXTEND_TIMEOUT, "STATUS=loading the model")
        with self._signals.exit_on_stop():
            if self._signals.stopping.is_set():
                raise RetryAborted("stopped before the model was loaded")
            return LoadedModel(bundle, loaded_model.warm(self._context.root, settings, bundle))
