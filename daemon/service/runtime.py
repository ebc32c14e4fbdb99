"""Everything that is open under one set of settings: storage, decoders, model, pipeline, intake and watcher."""

import queue
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from daemon.decoders.pool import DecoderPool
from daemon.decoders.process import START_S
from daemon.destinations.mover import PhotoMover
from daemon.drags.watcher import DragWatcher
from daemon.inbox.claimed_photo import Returned
from daemon.inbox.claimer import Claimer
from daemon.inbox.companion_finder import CompanionFinder
from daemon.inbox.companion_queue import CompanionQueue
from daemon.inbox.companions import CompanionRules
from daemon.inbox.ignore import IgnoreRules
from daemon.inbox.inotify import FileEvent
from daemon.inbox.intake import Intake
from daemon.inbox.originals import Originals
from daemon.inbox.readiness import ReadinessTracker
from daemon.inbox.undone import UndonePhotos
from daemon.inbox.watcher import Watcher
from daemon.monitoring.drift import WINDOW, DriftWindow
from daemon.monitoring.metrics import Metrics
from daemon.pipeline.companion_filer import CompanionCallbacks, CompanionFiler
from daemon.pipeline.filing import Filer
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.pipeline import Pipeline, PipelineCallbacks
from daemon.retry import Retrier, RetryAborted
from daemon.service.recovery import StartupRecovery
from daemon.service.storage import Storage
from daemon.settings import Settings
from models.bundle import Bundle

Messages = queue.SimpleQueue[FileEvent | Returned | None]
"""Messages to the main loop; None only wakes it."""


@dataclass(frozen=True)
class ProcessContext:
    """The objects that outlive a change of settings.

    Attributes:
        root: The root.
        once: Whether the daemon ends when the inbox is done.
        dry_run: Whether nothing may change.
        on_wait: Called before each pause of a retry, in the thread that makes it.
        messages: Messages to the main loop.
        metrics: Metrics of the process.
    """

    root: Path
    once: bool
    dry_run: bool
    on_wait: Callable[[], None]
    messages: Messages = field(default_factory=queue.SimpleQueue)
    metrics: Metrics = field(default_factory=Metrics)


@dataclass(frozen=True)
class RuntimePlan:
    """Settings and model of a runtime.

    Attributes:
        settings: The settings.
        bundle: The model.
        open_model: Opens the engine of the model, after all that a start waits for is open.
    """

    settings: Settings
    bundle: Bundle
    open_model: Callable[[], LoadedModel]


class Runtime:
    """Everything open under one set of settings. Used by one thread, except `abort_retries`.

    Attributes:
        settings: The settings.
        bundle: The model's bundle.
        tracker: Files of the inbox that wait.
        retrier: Retries while the disk or the database has a temporary problem.
        is_open: Whether the attributes below exist.
        storage: Inbox, destination folders and database.
        decoders: Decoders of the pipeline.
        model: The model in use.
        pipeline: The pipeline.
        companions: Companions that wait for their photos; None if they are sorted like any other file.
        claimer: Claims ready files for the pipeline.
        intake: Fills the tracker with the files of the inbox.
        recovery: Recovers photos in flight of an earlier run.
        watcher: Watches the inbox.
        drags: Finds photos that a person moved by hand; None if the settings turn that off, and in a dry run.
    """

    def __init__(
        self, context: ProcessContext, plan: RuntimePlan, tracker: ReadinessTracker, watcher: Watcher | None = None
    ) -> None:
        """Prepares a runtime; `open` opens it.

        Args:
            context: The objects that outlive it.
            plan: Settings and model.
            tracker: Files of the inbox that wait.
            watcher: A watcher of the same inbox that is open already.
        """
        self.settings = plan.settings
        self.bundle = plan.bundle
        self.tracker = tracker
        self.is_open = False
        self._context = context
        self._open_model = plan.open_model
        self._open_watcher = watcher
        self._aborting = threading.Event()
        self.retrier = Retrier(self._aborting, self._on_wait)

    def open(self) -> None:
        """Opens everything.

        Raises:
            FoodsortError: The inbox, the database or the model cannot be used.
            OSError: A folder cannot be used.
            RetryAborted: `abort_retries` was called.
        """
        context = self._context
        settings = self.settings
        # No worker is given up on earlier: each of two may be restarted and take all its time.
        context.metrics.stages.start(decode_s=2 * (settings.images.timeout_s + START_S))
        with ExitStack() as opened:
            self.storage = Storage(context.root, settings, self.retrier, once=context.once, dry_run=context.dry_run)
            opened.callback(self.storage.close)
            if self._aborting.is_set():
                raise RetryAborted("stopped before the model was loaded")
            self.storage.use_model(self.bundle)
            context.metrics.observe_drift(self._drift_window())
            # Forked while the process is small: the engines' libraries bring hundreds of megabytes and threads.
            images = settings.images
            self.decoders = DecoderPool(
                fit=self.bundle.card.fit,
                max_pixels=images.max_pixels,
                timeout_s=images.timeout_s,
                size=images.decoders,
                retrier=self.retrier,
            )
            opened.callback(self.decoders.close)
            self.model = self._open_model()
            filer = self._build_filer()
            companion_filer = self._build_companion_filer()
            self.pipeline = self._build_pipeline(filer, companion_filer)
            watch = settings.watch
            undone = UndonePhotos(
                self.storage.recorder,
                self.storage.lookup,
                self.retrier,
                self.storage.destinations.place_in_inbox,
            )
            originals = Originals(
                self.storage.originals,
                self.storage.lookup,
                self.storage.claims,
                self.retrier,
                self.storage.destinations.place_in_inbox,
            )
            rules = CompanionRules(watch.companion_endings, ignore_case=self.storage.claims.ignores_case())
            self.companions = CompanionQueue(watch.companion_s) if watch.companions else None
            self.claimer = self._build_claimer(undone, originals, rules)
            self.intake = self._build_intake(undone, originals)
            self.recovery = StartupRecovery(
                self.storage, filer, companion_filer, self.pipeline, self.claimer, self.retrier, rules
            )
            self.watcher = self._build_watcher()
            self.drags = self._build_drags()
            self._opened = opened.pop_all()
        self.is_open = True

    def abort_retries(self) -> None:
        """Ends all waiting for temporary problems. Called by any thread and by signal handlers."""
        self._aborting.set()

    def halt(self, *, keep_watching: bool = False) -> None:
        """Stops watcher, intake and pipeline; photos that are not being classified go back to the inbox."""
        if self.drags is not None:
            self.drags.stop()
        if not keep_watching:
            self.watcher.close()
        self.intake.stop_scan()
        self.pipeline.stop()

    def close(self) -> None:
        """Closes everything, after `halt`."""
        self._opened.close()

    def _drift_window(self) -> DriftWindow:
        newest = self.retrier(self.storage.lookup.recent_probabilities, self.storage.recorder.model_id, WINDOW)
        return DriftWindow(self.bundle.card, newest)

    def _build_filer(self) -> Filer:
        return Filer(
            destinations=self.storage.destinations,
            mover=PhotoMover(self.storage.destinations, self.storage.claims),
            recorder=self.storage.recorder,
            lookup=self.storage.lookup,
            retrier=self.retrier,
            skip_duplicates=self.settings.images.duplicates == "skip",
            has_companions=lambda: self.retrier(self.storage.companions.in_use),
        )

    def _build_companion_filer(self) -> CompanionFiler:
        messages = self._context.messages
        return CompanionFiler(
            destinations=self.storage.destinations,
            mover=PhotoMover(self.storage.destinations, self.storage.claims),
            recorder=self.storage.companions,
            retrier=self.retrier,
            max_bytes=self.settings.images.max_bytes,
            callbacks=CompanionCallbacks(
                give_back=messages.put,
                wake=lambda: messages.put(None),
                part=self.storage.recover_actions,
                fail=lambda error: self.pipeline.fail(error),
            ),
        )

    def _build_pipeline(self, filer: Filer, companion_filer: CompanionFiler) -> Pipeline:
        messages = self._context.messages
        storage = self.storage
        callbacks = PipelineCallbacks(
            look_up=lambda keys: self.retrier(storage.lookup.prior_records, keys, storage.recorder.model_id),
            give_back=messages.put,
            wake=lambda: messages.put(None),
        )
        return Pipeline(
            settings=self.settings,
            model=self.model,
            decoders=self.decoders,
            filer=filer,
            companion_filer=companion_filer,
            callbacks=callbacks,
            metrics=self._context.metrics,
            dry_run=self._context.dry_run,
        )

    def _build_claimer(self, undone: UndonePhotos, originals: Originals, rules: CompanionRules) -> Claimer:
        storage = self.storage
        finder = CompanionFinder(
            rules,
            storage.claims,
            storage.companions,
            undone,
            originals,
            self.retrier,
            IgnoreRules(self.settings.watch.ignore),
        )
        return Claimer(
            claims=self.storage.claims,
            tracker=self.tracker,
            undone=undone,
            originals=originals,
            retrier=self.retrier,
            event_log=self.storage.event_log,
            submit=self.pipeline.put,
            companions=self.companions,
            finder=finder,
            companion_sink=self.pipeline,
            settle_s=self.settings.watch.settle_s,
            dry_run=self._context.dry_run,
        )

    def _build_intake(self, undone: UndonePhotos, originals: Originals) -> Intake:
        return Intake(
            settings=self.settings.watch,
            claims=self.storage.claims,
            tracker=self.tracker,
            undone=undone,
            originals=originals,
            claimer=self.claimer,
            event_log=self.storage.event_log,
            companions=self.companions,
            dry_run=self._context.dry_run,
        )

    def _build_watcher(self) -> Watcher:
        storage = self.storage
        if self._open_watcher is None:
            return Watcher(self.settings.watch, storage.handle, self._context.messages.put, storage.event_log.record)
        self._open_watcher.rebind(storage.handle, storage.event_log.record)
        return self._open_watcher

    def _build_drags(self) -> DragWatcher | None:
        if self._context.dry_run or not self.settings.folders.drags:
            return None
        return DragWatcher(
            self._context.root,
            self.settings,
            self.storage.actions,
            self.storage.engine,
            self.retrier,
            is_degraded=lambda: bool(self.watcher.degraded_reason),
            on_label=self._context.metrics.dragged,
        )

    def _on_wait(self) -> None:
        self._context.metrics.stages.reset()
        self._context.on_wait()
