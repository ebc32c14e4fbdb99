"""What is open while one set of settings holds: disks, decoders, the pipeline, the watch on the inbox."""

import queue
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from daemon.decoders.pool import DecoderPool
from daemon.decoders.process import START_S
from daemon.inbox.claims import Returned
from daemon.inbox.inotify import FileEvent
from daemon.inbox.intake import Intake
from daemon.inbox.readiness import ReadinessTracker
from daemon.inbox.watcher import Watcher
from daemon.monitoring.drift import WINDOW, Window
from daemon.monitoring.heart import StageMonitor
from daemon.monitoring.metrics import Metrics
from daemon.pipeline.filing import Filing
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.pipeline import Pipeline
from daemon.retry import Retrier, RetryAborted
from daemon.service.recovery import StartupRecovery
from daemon.service.storage import Storage
from daemon.settings import Settings
from models.bundle import Bundle
from models.engines import Engine

Messages = queue.SimpleQueue[FileEvent | Returned | None]


@dataclass(frozen=True)
class ProcessContext:
    """What outlasts a change of settings. waits: called in whichever thread waits for trouble to pass, before each pause."""

    root: Path
    once: bool
    dry_run: bool
    waits: Callable[[], None]
    messages: Messages = field(default_factory=queue.SimpleQueue)
    metrics: Metrics = field(default_factory=Metrics)
    counts: Counter[str] = field(default_factory=Counter)


class Runtime:
    """Used by one thread, but for `give_up`."""

    def __init__(
        self,
        lasting: ProcessContext,
        settings: Settings,
        bundle: Bundle,
        engine: Callable[[], Engine],
        inbox: ReadinessTracker,
        lookout: Watcher | None = None,
    ) -> None:
        """Opens nothing yet. engine: opens it, when all that a start waits for is there. inbox: the files known to wait.

        lookout: one that watches the same inbox already.
        """
        self.settings, self.bundle = settings, bundle
        # No worker is given up on sooner: each of two may be started anew and take all its time.
        self.heart = StageMonitor(2 * (settings.images.timeout_s + START_S))
        self._giving_up = threading.Event()
        self.patience = Retrier(self._giving_up, self._wait(lasting))
        self.is_open = False
        """Whether there is more of it than settings, bundle, heart and patience."""
        self._lasting, self._inbox, self._engine, self._watching = lasting, inbox, engine, lookout

    def open(self) -> None:
        """Opens it all. Raises FoodsortError, OSError, and RetryAborted when `give_up` is called meanwhile."""
        lasting, settings, bundle, patience = self._lasting, self.settings, self.bundle, self.patience
        dry_run = lasting.dry_run
        with ExitStack() as opened:
            store = self.store = Storage(lasting.root, settings, patience, once=lasting.once, dry_run=dry_run)
            opened.callback(store.close)
            if self._giving_up.is_set():
                raise RetryAborted("stopped before the model was loaded")
            store.use_model(bundle)
            probabilities = patience(store.lookup.recent_probabilities, store.results.model_id, WINDOW)
            lasting.metrics.drift = Window(bundle.card, probabilities)
            # While the process is small: the networks' libraries bring hundreds of megabytes and threads.
            decoders = DecoderPool(
                bundle.card.fit, settings.images.max_pixels, settings.images.timeout_s, retrier=patience
            )
            opened.callback(decoders.close)
            engine = self.engine = self._engine()
            filing = Filing(
                store.destinations,
                store.results,
                store.lookup,
                patience,
                skip_duplicates=settings.images.duplicates == "skip",
            )
            self.pipeline = Pipeline(
                settings,
                bundle.card,
                engine,
                filing,
                decoders,
                give_back=lasting.messages.put,
                wake=lambda: lasting.messages.put(None),
                metrics=lasting.metrics,
                heart=self.heart,
                counts=lasting.counts,
                dry_run=dry_run,
            )
            self.intake = Intake(
                *(
                    settings.watch,
                    store.hold.claims,
                    self.pipeline.put,
                    store.results,
                    store.lookup,
                    patience,
                    store.tell,
                ),
                tracker=self._inbox,
                dry_run=dry_run,
            )
            self.takeover = StartupRecovery(store, filing, self.pipeline, self.intake, patience)
            self.lookout = self._watching or Watcher(settings.watch, store.hold, lasting.messages.put, store.tell)
            self.lookout.rebind(store.hold, store.tell)
            self._opened = opened.pop_all()
        self.is_open = True

    @property
    def network(self) -> LoadedModel:
        """The model in use; when it is open."""
        return LoadedModel(self.bundle, self.engine)

    def give_up(self) -> None:
        """Lets no trouble be waited for any longer. Called by any thread and by handlers of signals."""
        self._giving_up.set()

    def halt(self, *, watch_on: bool = False) -> None:
        """Ends the pipeline once the batches that the network has begun are filed; the rest is given back. And the watch."""
        if not watch_on:
            self.lookout.close()
        self.intake.stop_scan()
        self.pipeline.stop()

    def close(self) -> None:
        """Closes it all, after `halt`."""
        self._opened.close()

    def _wait(self, lasting: ProcessContext) -> Callable[[], None]:
        def waits() -> None:
            self.heart.excuse()
            lasting.waits()

        return waits
