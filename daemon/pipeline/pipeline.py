"""The stages of a claimed photo, in their order: `readers` decode, `classifiers` look up and classify, one thread files."""

import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from daemon.database.rows import PhotoKey, PriorRecord
from daemon.decoders.pool import DecoderPool
from daemon.inbox.claimed_photo import Claimed, Returned
from daemon.monitoring.metrics import Metrics
from daemon.pipeline.batcher import Batcher
from daemon.pipeline.classifiers import ClassifiedBatch, Classifiers
from daemon.pipeline.companion_filer import CompanionFiler
from daemon.pipeline.decode import Decoded
from daemon.pipeline.filing import Filer
from daemon.pipeline.loaded_model import LoadedModel
from daemon.pipeline.readers import Readers
from daemon.settings import Settings

_MOST_COMPANIONS = 128


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


class Pipeline:
    """Decodes, classifies and files claimed photos."""

    def __init__(
        self,
        settings: Settings,
        model: LoadedModel,
        decoders: DecoderPool,
        filer: Filer,
        companion_filer: CompanionFiler,
        callbacks: PipelineCallbacks,
        metrics: Metrics,
        *,
        dry_run: bool = False,
    ) -> None:
        self.failure: BaseException | None = None
        """Exception that ended a thread."""
        self._filer = filer
        self._companion_filer = companion_filer
        self._callbacks = callbacks
        self._metrics = metrics
        self._stages = metrics.stages
        self._dry_run = dry_run
        self._lock = threading.Lock()
        self._in_flight: dict[int, tuple[Claimed, float]] = {}
        """Photos with the time of their arrival (monotonic s), in that order."""
        self._engine = model.engine
        self._max_size = settings.batch.max_size
        self._readers = Readers(
            decoders,
            self._stages,
            settings,
            may_file_unread=filer.renames_failed,
            on_result=self._pass_on,
            on_error=self.fail,
        )
        # Batches larger than one run of the engine would only delay each other's photos, and a stop.
        self._batcher = Batcher(
            streams=self._engine.streams,
            max_size=min(self._max_size, self._engine.largest),
            max_delay_s=settings.batch.max_delay_ms / 1000,
            coming=lambda: self._readers.decoding,
            on_take=lambda since: self._stages.waited("classify", since),
        )
        self._classifiers = Classifiers(
            model,
            self._batcher,
            metrics,
            unsure=bool(settings.folders.unsure),
            other=bool(settings.folders.other),
            look_up=callbacks.look_up,
            on_error=self.fail,
        )
        self._filing = threading.Thread(target=self._run_filer, name="file")

    @property
    def in_flight(self) -> int:
        """Number of claimed photos and companions that are neither filed nor back in the inbox."""
        return len(self._in_flight) + self._companion_filer.in_flight

    @property
    def oldest(self) -> tuple[Claimed, float] | None:
        """The photo that has been in flight longest, with its arrival (monotonic s)."""
        with self._lock:
            return next(iter(self._in_flight.values()), None)

    @property
    def full(self) -> bool:
        """Whether enough photos are claimed to keep all stages busy; the pixels of more would only take memory."""
        engine = self._engine
        return len(self._in_flight) >= max(4 * self._max_size, 2 * min(self._max_size, engine.largest) * engine.streams)

    def start(self) -> None:
        """Starts the threads."""
        self._readers.start()
        self._classifiers.start()
        self._filing.start()
        self._companion_filer.start()

    def put(self, photos: Collection[Claimed]) -> None:
        """Adds claimed photos."""
        now = time.monotonic()
        with self._lock:
            self._in_flight |= {id(claimed): (claimed, now) for claimed in photos}
        self._readers.put(photos, now)

    def stop(self) -> None:
        """Files the batches that are being classified, and gives all other photos back to the inbox."""
        waiting = self._batcher.end()
        self._companion_filer.stop()
        self._readers.stop()
        for decoded in (*waiting, *self._batcher.end()):
            self._stages.leave("look_up")
            self._give_back(Returned(decoded.claimed))
        self._classifiers.join()
        self._filing.join()
        for claimed, _ in self._in_flight.values():  # a failed thread leaves them to the next start
            claimed.close()

    @property
    def companion_room(self) -> int:
        """Number of companions that may be added; each keeps a file open."""
        return max(0, _MOST_COMPANIONS - self._companion_filer.in_flight)

    def put_companion(self, claimed: Claimed, photo_id: int) -> None:
        """Adds a claimed companion of a sorted photo."""
        self._companion_filer.put(claimed, photo_id)

    def fail(self, error: BaseException) -> None:
        """Keeps the exception for the service, which raises it in its own thread."""
        self.failure = error
        self._callbacks.wake()

    def _pass_on(self, result: Decoded | Returned) -> None:
        if isinstance(result, Decoded):
            self._stages.enter("look_up")
            self._batcher.put(result)
        else:
            self._give_back(result)
            self._batcher.nudge()

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

    def _run_filer(self) -> None:
        classified = self._classifiers.classified
        try:
            while (batch := classified.get()) is not None:
                self._file(batch)
        except BaseException as error:  # noqa: BLE001
            self.fail(error)
            # No classifier may block for ever on a full queue. These photos stay claimed for the next start.
            while classified.get() is not None:
                pass

    def _file(self, batch: ClassifiedBatch) -> None:
        with self._stages.work("file", len(batch.outcomes), since=batch.since):
            filer = self._filer
            filed, returned = filer.preview(batch.outcomes) if self._dry_run else filer.file(batch.outcomes, batch.row)
        for outcome in filed:
            self._metrics.filed(
                prediction=outcome.prediction,
                label=outcome.label,
                failure=outcome.failure,
                destination=outcome.destination,
                since=self._in_flight[id(outcome.decoded.claimed)][1],
            )
        self._release([outcome.decoded.claimed for outcome in filed])
        for photo in returned:
            self._give_back(photo)
