"""The path of claimed photos through decoding, the network and the filing, each in its own threads."""

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from daemon import failpoints
from daemon.database.rows import BatchRow
from daemon.database.timestamps import format_time
from daemon.decoders.pool import DecoderPool, PoolStopped
from daemon.inbox.claims import Claimed, Returned
from daemon.monitoring.heart import StageMonitor
from daemon.monitoring.metrics import Metrics
from daemon.pipeline import decode
from daemon.pipeline.attempts import AttemptTracker
from daemon.pipeline.batcher import Batcher
from daemon.pipeline.decode import Decoded
from daemon.pipeline.filing import Filing
from daemon.pipeline.outcome import Outcome, judge
from daemon.settings import Settings
from models.bundle import Card
from models.engines import Engine
from models.errors import ImageErrorKind
from models.filenames import escape_name

log = structlog.get_logger()

# Not every format can tell that its end is missing, so damage may be a writer that has not come further yet.
_MAY_BE_UNFINISHED = {ImageErrorKind.TRUNCATED, ImageErrorKind.CORRUPT}


class _Judged(NamedTuple):
    """A batch that the network is done with, its row, and since when it has waited to be filed (monotonic s)."""

    outcomes: list[Outcome]
    batch: BatchRow
    since: float


class Pipeline:
    """Takes claimed photos, files them, and counts what became of them."""

    def __init__(
        self,
        settings: Settings,
        card: Card,
        engine: Engine,
        filing: Filing,
        decoders: DecoderPool,
        give_back: Callable[[Returned], None],
        wake: Callable[[], None],
        metrics: Metrics,
        heart: StageMonitor,
        *,
        counts: Counter[str],
        dry_run: bool = False,
    ) -> None:
        """Called from several threads: `give_back` puts a photo back into the inbox, `wake` says that there is room again.

        counts: of photos filed, by label or `failed`, to be added to.
        """
        self._settings, self._card, self._engine, self._filing = settings, card, engine, filing
        self._decoders, self._tries = decoders, AttemptTracker()
        self._give_back, self._wake, self._metrics, self._dry_run = give_back, wake, metrics, dry_run
        self._heart, self.counts = heart, counts
        self.failure: BaseException | None = None
        """What ended a thread that must not end."""
        self._decoding = 0
        self._held: dict[int, tuple[Claimed, float]] = {}  # with when they came (monotonic s), in that order
        self._lock = threading.Lock()
        self._reading = ThreadPoolExecutor(decoders.size, "decode")
        # Larger batches than the engine runs in one go would only make photos, and a stop, wait for each other.
        largest = min(settings.batch.max_size, engine.largest)
        self._batcher = Batcher(
            largest,
            settings.batch.max_delay_ms / 1000,
            coming=lambda: self._decoding,
            taken=lambda since: metrics.waited("classify", since),
        )
        self._judged: queue.Queue[_Judged | None] = queue.Queue(2)
        self._classifying = engine.streams  # threads that have not ended yet; counted by the one that files
        self._threads = [
            *(self._thread(self._classify, "classify") for _ in range(engine.streams)),
            self._thread(self._file, "file"),
        ]

    @property
    def in_flight(self) -> int:
        """Photos that are claimed and neither filed nor back in the inbox."""
        return len(self._held)

    @property
    def oldest(self) -> tuple[Claimed, float] | None:
        """The photo that has been in flight longest, and since when (monotonic s)."""
        with self._lock:
            return next(iter(self._held.values()), None)

    @property
    def slowest_stage(self) -> str | None:
        """The stage that has worked longest in the last minutes."""
        return self._metrics.busy.slowest

    @property
    def decoder_deaths(self) -> int:
        """Decoders that ended without having been asked to."""
        return self._decoders.deaths

    @property
    def full(self) -> bool:
        """Whether enough photos are claimed to keep every stage busy. More would only take memory: each has its pixels there."""
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
            self._held[id(claimed)] = claimed, now
        self._heart.comes("decode")
        future = self._reading.submit(self._decode, claimed, now)
        future.add_done_callback(lambda done: self._decoded(claimed, done))

    def stop(self) -> None:
        """Finishes the batches that the network has begun and gives everything else back to the inbox."""
        left = self._batcher.end()
        self._decoders.stop()
        self._reading.shutdown(wait=True, cancel_futures=True)
        for decoded in (*left, *self._batcher.end()):
            self._leave(Returned(decoded.claimed))
        for thread in self._threads:
            thread.join()
        for claimed, _ in self._held.values():  # of what a thread that failed has left to the next start
            claimed.close()

    def _decode(self, claimed: Claimed, since: float) -> Decoded:
        self._metrics.waited("decode", since)
        with self._metrics.stage("decode", among=self._decoders.size):
            return decode.read(claimed, self._decoders)

    def _decoded(self, claimed: Claimed, done: "Future[Decoded]") -> None:
        try:
            onward = self._onward(claimed, done)
            with self._lock:
                self._decoding -= 1
            self._heart.goes("decode")
            if isinstance(onward, Decoded):
                self._heart.comes("classify")
                self._batcher.put(onward)
            else:
                self._leave(onward)
                self._batcher.nudge()
        except BaseException as error:
            self.failure = error
            self._wake()
            raise

    def _onward(self, claimed: Claimed, done: "Future[Decoded]") -> Decoded | Returned:
        """Where a photo goes after decoding: on to the network, or back to wait."""
        if done.cancelled():
            return Returned(claimed)
        try:
            decoded = done.result()
        except PoolStopped:
            return Returned(claimed)
        except OSError as error:
            return Returned(claimed, refusal=f"cannot be read: {error.strerror}")
        if claimed.was_modified():
            return Returned(claimed)
        patience_s = self._settings.watch.truncated_s
        if (
            decoded.error is not None
            and decoded.error.kind in _MAY_BE_UNFINISHED
            and time.monotonic() - claimed.stable_since < patience_s
        ):
            return Returned(claimed, wait_s=patience_s)
        photo = claimed.identity + (f":{escape_name(claimed.path)}" if claimed.linked else "")
        with self._lock:
            number, pause_s = self._tries.judge(photo, decoded.error.kind if decoded.error else None)
        if pause_s is not None:
            log.warning(
                "trying again later", photo=escape_name(claimed.path), reason=str(decoded.error), attempt=number
            )
            return Returned(claimed, wait_s=time.monotonic() - claimed.stable_since + pause_s)
        return replace(decoded, attempts=number)

    def _leave(self, returned: Returned) -> None:
        self._give_back(returned)
        self._metrics.returned()
        self._done([returned.claimed])

    def _done(self, photos: list[Claimed]) -> None:
        for claimed in photos:
            claimed.close()
        with self._lock:
            for claimed in photos:
                del self._held[id(claimed)]
        self._wake()

    def _thread(self, work: Callable[[], None], name: str) -> threading.Thread:
        return threading.Thread(target=self._guarded, args=(work,), name=name)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # the service raises it in its own thread
            self.failure = error
            self._wake()
            # The network must not wait for ever to hand its batches on; what they hold stays claimed for the next start.
            while work == self._file and self._next_judged() is not None:
                pass

    def _classify(self) -> None:
        try:
            while (batch := self._batcher.take()) is not None:
                failpoints.failpoint("batched")
                self._metrics.batch(len(batch))
                started, begun = datetime.now(UTC), time.perf_counter()
                streams = self._engine.streams
                with self._metrics.stage("look_up", among=streams):
                    known = self._filing.known(batch)
                unsure = bool(self._settings.folders.unsure)
                with self._metrics.stage("classify", among=streams):
                    outcomes = judge(batch, known, self._engine, self._card, unsure=unsure)
                inference_ms = 1000 * (time.perf_counter() - begun)
                failpoints.failpoint("classified")
                row = BatchRow(started_at=format_time(started), engine=self._engine.name, inference_ms=inference_ms)
                self._heart.goes("classify", len(batch))
                self._heart.comes("file", len(batch))
                self._judged.put(_Judged(outcomes, row, time.monotonic()))
        finally:
            self._judged.put(None)

    def _file(self) -> None:
        while (item := self._next_judged()) is not None:
            self._metrics.waited("file", item.since)
            with self._metrics.stage("file"):
                outcomes = self._filing.file(item.outcomes, item.batch, dry_run=self._dry_run)
            self._heart.goes("file", len(item.outcomes))
            self.counts.update(outcome.fate or "failed" for outcome in outcomes)
            for outcome in outcomes:
                self._metrics.filed(
                    prediction=outcome.verdict,
                    label=outcome.label,
                    failure=outcome.failure,
                    destination=outcome.fate,
                    since=self._held[id(outcome.decoded.claimed)][1],
                )
            self._done([outcome.decoded.claimed for outcome in outcomes])

    def _next_judged(self) -> _Judged | None:
        """Waits for a batch that the network is done with; None when no more will come."""
        while self._classifying:
            if (item := self._judged.get()) is not None:
                return item
            self._classifying -= 1
        return None
