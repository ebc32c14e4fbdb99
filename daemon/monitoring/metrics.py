"""What the daemon counts and times as it works: docs/metrics.md explains each figure."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, Literal, ParamSpec, get_args

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from daemon.monitoring.busy import Utilization
from daemon.monitoring.drift import Window
from daemon.photo import Destination, Failure, Prediction
from models import Label, __version__
from models.errors import ImageErrorKind

log = structlog.get_logger()

Stage = Literal["decode", "look_up", "classify", "file"]
Queue = Literal["decode", "classify", "file"]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_PHOTOS = tuple(2**power for power in range(11))  # batch.max_size is 1,024 at most
_PROBABILITIES = tuple(twentieth / 20 for twentieth in range(1, 21))
_NO_LABEL = "none"

P = ParamSpec("P")


def _never_raises(note: Callable[Concatenate["Metrics", P], None]) -> Callable[Concatenate["Metrics", P], None]:
    """No photo fails, and no thread ends, for a figure."""

    def safely(metrics: "Metrics", /, *words: P.args, **more: P.kwargs) -> None:
        try:
            note(metrics, *words, **more)
        except Exception as error:  # noqa: BLE001
            log.warning("a figure could not be noted", kind="metrics", reason=repr(error))

    return safely


class Metrics:
    """The figures of one life of the daemon, from zero. Used by any thread; nothing here raises."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry(auto_describe=True)
        """Everything that is counted here, and what the process uses."""
        self.busy = Utilization()
        self.drift: Window | None = None
        """The newest photos, and how far they are from what the model's card has; None before a model is in use."""
        # They would double the series, and say what process_start_time_seconds says.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        Info("foodsort_build", "The program.", registry=registry).info({"version": __version__})
        self._photos = Counter(
            "foodsort_photos",
            "Photos filed, by their label and where they went.",
            ["label", "outcome"],
            registry=registry,
        )
        self._failures = Counter("foodsort_failures", "Photos filed as failed.", ["kind"], registry=registry)
        self._returned = Counter("foodsort_returned", "Photos given back to the inbox, to wait on.", registry=registry)
        self._batch = Histogram("foodsort_batch_photos", "Photos in a batch.", buckets=_PHOTOS, registry=registry)
        self._probability = Histogram(
            "foodsort_probability", "Calibrated P(food) of each photo.", buckets=_PROBABILITIES, registry=registry
        )
        stage, queue, self._whole = (
            Histogram(name, what, labels, buckets=_SECONDS, registry=registry)
            for name, what, labels in (
                ("foodsort_stage_seconds", "Time of a photo (decode) or a batch in a stage.", ["stage"]),
                ("foodsort_queue_seconds", "Time that a photo (a batch for file) waited for a stage.", ["stage"]),
                ("foodsort_filing_seconds", "Time of a photo from when it was claimed until it was filed.", []),
            )
        )
        self._stage = {name: stage.labels(name) for name in get_args(Stage)}
        self._queue = {name: queue.labels(name) for name in get_args(Queue)}
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """A series that is first seen at 1 has no increase that an alarm could go by."""
        for label in ("food", "non_food", "unsure"):
            self._photos.labels(label, label)
            self._photos.labels(label, "duplicate")
        self._photos.labels(_NO_LABEL, "failed")
        for kind in ImageErrorKind:
            self._failures.labels(kind.value)

    @contextmanager
    def stage(self, stage: Stage, among: int = 1) -> Iterator[None]:
        """Times the block for a stage that `among` workers share."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self._worked(stage, time.monotonic() - begun, among)

    @_never_raises
    def _worked(self, stage: Stage, seconds: float, among: int) -> None:
        self.busy.add(stage, seconds / among)
        self._stage[stage].observe(seconds)

    @_never_raises
    def waited(self, stage: Queue, since: float) -> None:
        """A stage begins with a photo or batch that has waited for it since then (monotonic s)."""
        self._queue[stage].observe(time.monotonic() - since)

    @_never_raises
    def batch(self, photos: int) -> None:
        """A batch was gathered."""
        self._batch.observe(photos)

    @_never_raises
    def returned(self) -> None:
        """A photo goes back to the inbox."""
        self._returned.inc()

    @_never_raises
    def filed(
        self,
        *,
        prediction: Prediction | None,
        label: Label | None,
        failure: Failure | None,
        destination: Destination,
        since: float,
    ) -> None:
        """Counts a filed photo.

        Args:
            prediction: Output of the network, if the photo could be decoded.
            label: Label that decides the folder, a person's before the network's.
            failure: Reason why there is no prediction.
            destination: Folder of the photo; None for `failed/`.
            since: Time of its claim (monotonic s).
        """
        self._whole.observe(time.monotonic() - since)
        if prediction:
            self._probability.observe(prediction.probability)
            if self.drift:
                self.drift.add([prediction.probability])
        if failure:
            self._failures.labels(failure.kind).inc()
        self._photos.labels(label or _NO_LABEL, destination or "failed").inc()
