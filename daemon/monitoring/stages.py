"""Stages of the pipeline: whether each one moves, how long it works, and which one is the slowest."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, Final, Literal, ParamSpec, TypeVar, get_args

import structlog
from prometheus_client import CollectorRegistry, Histogram

log = structlog.get_logger()

P = ParamSpec("P")
S = TypeVar("S")

Stage = Literal["decode", "look_up", "classify", "file"]
"""In the order of a photo's path. `look_up` reads the earlier rows of a batch from the database."""

STILL_S = 120.0
"""Longest time without progress in a stage after decoding (s): minutes more than the slowest batch takes on a CPU.

Time in which the daemon retries, such as with a full disk, does not count.
"""
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
"""Buckets of histograms of durations (s)."""

_STAGES: Final[tuple[Stage, ...]] = get_args(Stage)
_QUEUES: Final[tuple[Stage, ...]] = ("decode", "classify", "file")  # stages that photos wait for
_MINUTES = 5


def never_raises(record: Callable[Concatenate[S, P], None]) -> Callable[Concatenate[S, P], None]:
    """Logs exceptions instead: no photo fails, and no thread ends, because of a metric."""

    def safely(owner: S, /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            record(owner, *args, **kwargs)
        except Exception as error:  # noqa: BLE001
            log.warning("a metric could not be recorded", kind="metrics", reason=repr(error))

    return safely


class StageMonitor:
    """Follows photos through the stages. Used by any thread; nothing here raises.

    A photo or batch enters a stage when it starts to wait for it, and leaves it when the stage's work is done.
    """

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        """Registers the histograms of stages.

        Args:
            registry: Registry of the process.
            clock: Monotonic clock (s).
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: deque[tuple[int, Counter[Stage]]] = deque(maxlen=_MINUTES)
        """Seconds of work of each stage in each of the last minutes."""
        work = Histogram(
            "foodsort_stage_seconds",
            "Time of a photo (decode) or a batch in a stage.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        wait = Histogram(
            "foodsort_queue_seconds",
            "Time that a photo (a batch for file) waited for a stage.",
            ["stage"],
            buckets=SECONDS,
            registry=registry,
        )
        self._work_seconds = {stage: work.labels(stage) for stage in _STAGES}
        self._wait_seconds = {stage: wait.labels(stage) for stage in _QUEUES}
        self.start(decode_s=STILL_S)

    def start(self, *, decode_s: float) -> None:
        """Starts liveness again for a new pipeline without photos.

        Args:
            decode_s: Longest time that a decoder may take for a photo, the start of its worker included (s).
        """
        with self._lock:
            self._photos = dict.fromkeys(_STAGES, 0)
            self._last_progress = dict.fromkeys(_STAGES, self._clock())
            self._limits_s = {stage: decode_s if stage == "decode" else STILL_S for stage in _STAGES}

    def enter(self, stage: Stage, photos: int = 1) -> None:
        """Counts photos that start to wait for a stage."""
        with self._lock:
            if not self._photos[stage]:  # it had no work
                self._last_progress[stage] = self._clock()
            self._photos[stage] += photos

    def leave(self, stage: Stage, photos: int = 1) -> None:
        """Counts photos that leave a stage."""
        with self._lock:
            self._photos[stage] -= photos
            self._last_progress[stage] = self._clock()

    def progress(self, stage: Stage) -> None:
        """Notes that a stage moves, though no photo has left it yet."""
        with self._lock:
            self._last_progress[stage] = self._clock()

    @contextmanager
    def work(
        self, stage: Stage, photos: int = 1, *, workers: int = 1, since: float | None = None, then: Stage | None = None
    ) -> Iterator[None]:
        """Times the block as the work of a stage on photos, which leave the stage at its end.

        Args:
            stage: The stage.
            photos: Number of photos that the block works on.
            workers: Number of workers that share the stage.
            since: Time from which they waited for the stage (monotonic s), unless `waited` counts that.
            then: Stage that they enter next, unless the block fails.
        """
        begun = self._clock()
        if since is not None:
            self.waited(stage, since)
        try:
            yield
        finally:
            self._worked(stage, self._clock() - begun, workers)
            self.leave(stage, photos)
        if then is not None:
            self.enter(then, photos)

    @never_raises
    def _worked(self, stage: Stage, seconds: float, workers: int) -> None:
        self._add(stage, seconds / workers)
        self._work_seconds[stage].observe(seconds)

    @never_raises
    def waited(self, stage: Stage, since: float) -> None:
        """Observes that a photo or batch waited for a stage since then (monotonic s)."""
        self._wait_seconds[stage].observe(self._clock() - since)

    def reset(self) -> None:
        """Gives each stage its whole time again, because the daemon retries and no stage can be expected to move."""
        with self._lock:
            self._last_progress = dict.fromkeys(_STAGES, self._clock())

    @property
    def stuck(self) -> str | None:
        """Message about a stage that has photos and makes no progress; None when all stages move."""
        now = self._clock()
        with self._lock:
            for stage, photos in self._photos.items():
                still_s = now - self._last_progress[stage]
                if photos and still_s > self._limits_s[stage]:
                    return f"{stage} has not moved for {still_s:.0f} s with {photos} photos to do"
        return None

    @property
    def slowest(self) -> Stage | None:
        """Stage that worked longest in the last five minutes, so that the others wait for it; None without work."""
        oldest = self._minute() - _MINUTES
        total = Counter[Stage]()
        with self._lock:
            for minute, seconds in self._minutes:
                if minute > oldest:
                    total += seconds
        return max(total, key=total.__getitem__, default=None)

    def _add(self, stage: Stage, seconds: float) -> None:
        minute = self._minute()
        with self._lock:
            if not self._minutes or self._minutes[-1][0] != minute:
                self._minutes.append((minute, Counter()))
            self._minutes[-1][1][stage] += seconds  # type: ignore[assignment]  # a Counter counts seconds as well

    def _minute(self) -> int:
        return int(self._clock() // 60)
