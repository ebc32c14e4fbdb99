"""The stages of a claimed photo and their threads: decode, look up and classify, file.

Each decoder has a thread that reads photos. Classifier threads, one for each stream of the engine, take batches of
decoded photos. One thread files the classified batches.
"""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from daemon import failpoints
from daemon.database.rows import BatchRow, PhotoKey, PriorRecord
from daemon.database.timestamps import format_time
from daemon.decoders.pool import DecoderPool, PoolStopped
from daemon.inbox.claimed_photo import Claimed, Returned
from daemon.monitoring.metrics import Metrics
from daemon.pipeline import decode
from daemon.pipeline.attempts import AttemptTracker
from daemon.pipeline.batcher import Batcher
from daemon.pipeline.classify import Outcome, classify
from daemon.pipeline.decode import Decoded
from daemon.pipeline.filing import Filer
from daemon.pipeline.loaded_model import LoadedModel
from daemon.settings import Settings
from models.errors import ImageErrorKind
from models.filenames import escape_name

log = structlog.get_logger()

# Not every format shows that its end is missing, so damage may be a file whose writer is not finished.
_MAY_BE_UNFINISHED = {ImageErrorKind.TRUNCATED, ImageErrorKind.CORRUPT}


@dataclass(frozen=True)
class PipelineCallbacks:
    """Functions that a pipeline calls from its threads.

    Attributes:
        look_up: Returns what the database knows of each photo of a batch.
        give_back: Gets a photo that has to wait in the inbox.
        wake: Signals that the pipeline has room again, or has failed.
    """

    look_up: Callable[[list[PhotoKey]], list[PriorRecord]]
    give_back: Callable[[Returned], None]
    wake: Callable[[], None]


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


class Pipeline:
    """Decodes, classifies and files claimed photos."""

    def __init__(
        self,
        settings: Settings,
        model: LoadedModel,
        decoders: DecoderPool,
        filer: Filer,
        callbacks: PipelineCallbacks,
        metrics: Metrics,
        *,
        dry_run: bool = False,
    ) -> None:
        self._settings = settings
        self._card = model.bundle.card
        self._engine = model.engine
        self._decoders = decoders
        self._filer = filer
        self._callbacks = callbacks
        self._metrics = metrics
        self._stages = metrics.stages
        self._dry_run = dry_run
        self._attempts = AttemptTracker()
        self.failure: BaseException | None = None
        """Exception that ended a thread."""
        self._lock = threading.Lock()
        self._decoding = 0
        self._in_flight: dict[int, tuple[Claimed, float]] = {}
        """Photos with the time of their arrival (monotonic s), in that order."""
        self._readers = ThreadPoolExecutor(decoders.size, "decode")
        # Batches larger than one run of the engine would only delay each other's photos, and a stop.
        self._batcher = Batcher(
            max_size=min(settings.batch.max_size, self._engine.largest),
            max_delay_s=settings.batch.max_delay_ms / 1000,
            coming=lambda: self._decoding,
            on_take=lambda since: self._stages.waited("classify", since),
        )
        self._classified: queue.Queue[ClassifiedBatch | None] = queue.Queue(2)
        """Batches to file; the last classifier thread ends it with None."""
        self._classifiers = self._engine.streams
        """Classifier threads that still run."""
        self._threads = [
            *(threading.Thread(target=self._run_classifier, name="classify") for _ in range(self._engine.streams)),
            threading.Thread(target=self._run_filer, name="file"),
        ]

    @property
    def in_flight(self) -> int:
        """Number of claimed photos that are neither filed nor back in the inbox."""
        return len(self._in_flight)

    @property
    def oldest(self) -> tuple[Claimed, float] | None:
        """The photo that has been in flight longest, with its arrival (monotonic s)."""
        with self._lock:
            return next(iter(self._in_flight.values()), None)

    @property
    def full(self) -> bool:
        """Whether enough photos are claimed to keep all stages busy; the pixels of more would only take memory."""
        size = self._settings.batch.max_size
        return self.in_flight >= max(4 * size, 2 * min(size, self._engine.largest) * self._engine.streams)

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def put(self, claimed: Claimed) -> None:
        """Adds a claimed photo."""
        now = time.monotonic()
        with self._lock:
            self._decoding += 1
            self._in_flight[id(claimed)] = claimed, now
        self._stages.enter("decode")
        future = self._readers.submit(self._decode, claimed, now)
        future.add_done_callback(lambda done: self._after_decoding(claimed, done))

    def stop(self) -> None:
        """Files the batches that are being classified, and gives all other photos back to the inbox."""
        waiting = self._batcher.end()
        self._decoders.stop()
        self._readers.shutdown(wait=True, cancel_futures=True)
        for decoded in (*waiting, *self._batcher.end()):
            self._stages.leave("look_up")
            self._give_back(Returned(decoded.claimed))
        for thread in self._threads:
            thread.join()
        for claimed, _ in self._in_flight.values():  # a failed thread leaves them to the next start
            claimed.close()

    def _decode(self, claimed: Claimed, since: float) -> Decoded:
        with self._stages.work("decode", workers=self._decoders.size, since=since):
            return decode.read(claimed, self._decoders)

    def _after_decoding(self, claimed: Claimed, done: "Future[Decoded]") -> None:
        try:
            if done.cancelled():
                self._stages.leave("decode")
            result = Returned(claimed) if done.cancelled() else self._check_decoded(claimed, done)
            with self._lock:
                self._decoding -= 1
            if isinstance(result, Decoded):
                self._stages.enter("look_up")
                self._batcher.put(result)
            else:
                self._give_back(result)
                self._batcher.nudge()
        except BaseException as error:
            self._fail(error)
            raise

    def _check_decoded(self, claimed: Claimed, done: "Future[Decoded]") -> Decoded | Returned:
        """Decides whether a photo goes on to the network or waits in the inbox."""
        try:
            decoded = done.result()
        except PoolStopped:
            return Returned(claimed)
        except OSError as error:
            return Returned(claimed, refusal=f"cannot be read: {error.strerror}")
        if claimed.was_modified():
            return Returned(claimed)
        still_s = time.monotonic() - claimed.stable_since
        truncated_s = self._settings.watch.truncated_s
        if decoded.error is not None and decoded.error.kind in _MAY_BE_UNFINISHED and still_s < truncated_s:
            return Returned(claimed, wait_s=truncated_s)
        photo = claimed.identity + (f":{escape_name(claimed.path)}" if claimed.linked else "")
        with self._lock:
            attempt = self._attempts.record(photo, decoded.error.kind if decoded.error else None)
        if attempt.pause_s is not None:
            log.warning(
                "decoding failed; retrying later",
                photo=escape_name(claimed.path),
                reason=str(decoded.error),
                attempt=attempt.number,
            )
            return Returned(claimed, wait_s=still_s + attempt.pause_s)
        return replace(decoded, attempts=attempt.number)

    def _give_back(self, returned: Returned) -> None:
        self._callbacks.give_back(returned)
        self._metrics.returned()
        self._release([returned.claimed])

    def _release(self, photos: list[Claimed]) -> None:
        for claimed in photos:
            claimed.close()
        with self._lock:
            for claimed in photos:
                del self._in_flight[id(claimed)]
        self._callbacks.wake()

    def _fail(self, error: BaseException) -> None:
        """Keeps the exception for the service, which raises it in its own thread."""
        self.failure = error
        self._callbacks.wake()

    def _run_classifier(self) -> None:
        try:
            while (batch := self._batcher.take()) is not None:
                self._classified.put(self._classify(batch))
        except BaseException as error:  # noqa: BLE001
            self._fail(error)
        finally:
            with self._lock:
                self._classifiers -= 1
                last = not self._classifiers
            if last:
                self._classified.put(None)

    def _classify(self, batch: list[Decoded]) -> ClassifiedBatch:
        failpoints.failpoint("batched")
        self._metrics.batch(len(batch))
        started_at = format_time(datetime.now(UTC))
        begun = time.perf_counter()
        streams = self._engine.streams
        with self._stages.work("look_up", len(batch), workers=streams, then="classify"):
            prior = self._callbacks.look_up([photo.key for photo in batch])
        with self._stages.work("classify", len(batch), workers=streams, then="file"):
            unsure = bool(self._settings.folders.unsure)
            outcomes = classify(batch, prior, self._engine, self._card, unsure=unsure)
        inference_ms = 1000 * (time.perf_counter() - begun)
        failpoints.failpoint("classified")
        row = BatchRow(started_at=started_at, engine=self._engine.name, inference_ms=inference_ms)
        return ClassifiedBatch(outcomes, row, time.monotonic())

    def _run_filer(self) -> None:
        try:
            while (batch := self._classified.get()) is not None:
                self._file(batch)
        except BaseException as error:  # noqa: BLE001
            self._fail(error)
            # No classifier may block for ever on a full queue. These photos stay claimed for the next start.
            while self._classified.get() is not None:
                pass

    def _file(self, batch: ClassifiedBatch) -> None:
        with self._stages.work("file", len(batch.outcomes), since=batch.since):
            filer = self._filer
            outcomes = filer.preview(batch.outcomes) if self._dry_run else filer.file(batch.outcomes, batch.row)
        for outcome in outcomes:
            self._metrics.filed(
                prediction=outcome.prediction,
                label=outcome.label,
                failure=outcome.failure,
                destination=outcome.destination,
                since=self._in_flight[id(outcome.decoded.claimed)][1],
            )
        self._release([outcome.decoded.claimed for outcome in outcomes])
