"""Classifier threads, one for each stream of the engine: they take batches of decoded photos."""

import queue
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from daemon import failpoints
from daemon.database.rows import BatchRow, PhotoKey, PriorRecord
from daemon.database.timestamps import format_time
from daemon.monitoring.metrics import Metrics
from daemon.pipeline.batcher import Batcher
from daemon.pipeline.classify import Outcome, classify
from daemon.pipeline.decode import Decoded
from daemon.pipeline.loaded_model import LoadedModel


class ClassifiedBatch(NamedTuple):
    """A batch that waits to be filed.

    Attributes:
        outcomes: Outcomes of its photos.
        row: Row of the batch.
        since: Start of the wait (monotonic s).
    """

    outcomes: list[Outcome]
    row: BatchRow
    since: float


class Classifiers:
    """The classifier threads.

    Attributes:
        classified: Batches to file; the last thread ends it with None.
    """

    def __init__(
        self,
        model: LoadedModel,
        batcher: Batcher,
        metrics: Metrics,
        *,
        unsure: bool,
        other: bool,
        look_up: Callable[[list[PhotoKey]], list[PriorRecord]],
        on_error: Callable[[BaseException], None],
    ) -> None:
        """Prepares the threads.

        Args:
            model: The model in use.
            batcher: Gives batches to the threads.
            metrics: Metrics of the process.
            unsure: Whether photos between the thresholds get the label `unsure`.
            other: Whether files that are no images have a folder of their own.
            look_up: Returns what the database knows of each photo of a batch.
            on_error: Called with the exception that ends a thread.
        """
        self.classified: queue.Queue[ClassifiedBatch | None] = queue.Queue(2)
        self._bundle = model.bundle
        self._engine = model.engine
        self._batcher = batcher
        self._metrics = metrics
        self._unsure = unsure
        self._other = other
        self._look_up = look_up
        self._on_error = on_error
        self._lock = threading.Lock()
        self._running = self._engine.streams
        self._threads = [threading.Thread(target=self._run, name="classify") for _ in range(self._running)]

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Waits until the batcher has ended and all its batches are in `classified`."""
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        try:
            while (batch := self._batcher.take()) is not None:
                self.classified.put(self._classify(batch))
        except BaseException as error:  # noqa: BLE001
            self._on_error(error)
        finally:
            with self._lock:
                self._running -= 1
                last = not self._running
            if last:
                self.classified.put(None)

    def _classify(self, batch: list[Decoded]) -> ClassifiedBatch:
        failpoints.failpoint("batched")
        self._metrics.batch(len(batch))
        started_at = format_time(datetime.now(UTC))
        begun = time.perf_counter()
        stages = self._metrics.stages
        streams = self._engine.streams
        with stages.work("look_up", len(batch), workers=streams, then="classify"):
            prior = self._look_up([photo.key for photo in batch])
        with stages.work("classify", len(batch), workers=streams, then="file"):
            outcomes = classify(batch, prior, self._engine, self._bundle, unsure=self._unsure, other=self._other)
        inference_ms = 1000 * (time.perf_counter() - begun)
        failpoints.failpoint("classified")
        row = BatchRow(started_at=started_at, engine=self._engine.name, inference_ms=inference_ms)
        return ClassifiedBatch(outcomes, row, time.monotonic())
