"""Counters and histograms of the daemon; docs/metrics.md explains each metric."""

import time
from collections import Counter

import prometheus_client
from prometheus_client import (
    CollectorRegistry,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from daemon.monitoring.drift import DriftWindow
from daemon.monitoring.stages import SECONDS, StageMonitor, never_raises
from daemon.monitoring.status_document import DriftStatus
from daemon.photo import Destination, Failure, Prediction
from models import Label, __version__
from models.errors import ImageErrorKind

_PHOTOS = tuple(2**power for power in range(11))  # batch.max_size is 1,024 at most
_PROBABILITIES = tuple(twentieth / 20 for twentieth in range(1, 21))
_NO_LABEL = "none"


class Metrics:
    """Metrics of one run of the daemon, from zero. Used by any thread; nothing here raises.

    Attributes:
        registry: All metrics of the process.
        stages: Monitor of the pipeline's stages.
        counts: Photos filed in this run, by destination; `failed` for `failed/`.
    """

    def __init__(self) -> None:
        # They would double the series, and repeat process_start_time_seconds.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        self.stages = StageMonitor(self.registry)
        self.counts: Counter[str] = Counter()
        self._drift: DriftWindow | None = None
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        Info("foodsort_build", "The program.", registry=self.registry).info({"version": __version__})
        self._photos = prometheus_client.Counter(
            "foodsort_photos",
            "Photos filed, by their label and where they went.",
            ["label", "outcome"],
            registry=self.registry,
        )
        self._failures = prometheus_client.Counter(
            "foodsort_failures", "Photos filed as failed.", ["kind"], registry=self.registry
        )
        self._returned = prometheus_client.Counter(
            "foodsort_returned", "Photos given back to the inbox to wait there.", registry=self.registry
        )
        self._dragged = prometheus_client.Counter(
            "foodsort_dragged", "Labels that people gave by moving photos.", ["label"], registry=self.registry
        )
        self._batch = Histogram("foodsort_batch_photos", "Photos in a batch.", buckets=_PHOTOS, registry=self.registry)
        self._probability = Histogram(
            "foodsort_probability",
            "Calibrated P(food) of each photo.",
            buckets=_PROBABILITIES,
            registry=self.registry,
        )
        self._looks = prometheus_client.Counter(
            "foodsort_looks",
            "Photos classified, by the side of the pictures of the look that decided.",
            ["side"],
            registry=self.registry,
        )
        self._filing_seconds = Histogram(
            "foodsort_filing_seconds",
            "Time of a photo from when it was claimed until it was filed.",
            buckets=SECONDS,
            registry=self.registry,
        )
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        """Creates all series: one that first appears at 1 has no increase that an alarm could notice."""
        for label in ("food", "non_food", "unsure"):
            self._photos.labels(label, label)
            self._photos.labels(label, "duplicate")
        self._photos.labels(_NO_LABEL, "failed")
        self._photos.labels(_NO_LABEL, "other")
        for kind in ImageErrorKind:
            self._failures.labels(kind.value)

    @property
    def drift(self) -> DriftStatus | None:
        """Drift of the newest photos; None while it is unknown."""
        return self._drift.drift() if self._drift else None

    def observe_drift(self, window: DriftWindow) -> None:
        """Adds predictions to this window from now on; each model has its own."""
        self._drift = window

    @never_raises
    def batch(self, photos: int) -> None:
        """Records the size of a batch."""
        self._batch.observe(photos)

    @never_raises
    def returned(self) -> None:
        """Records a photo that is given back to the inbox."""
        self._returned.inc()

    @never_raises
    def filed(
        self,
        *,
        prediction: Prediction | None,
        label: Label | None,
        failure: Failure | None,
        destination: Destination,
        since: float,
    ) -> None:
        """Records a filed photo.

        Args:
            prediction: Output of the network, if the photo could be decoded.
            label: Label that decides the folder, a person's before the network's.
            failure: Reason why there is no prediction.
            destination: Folder of the photo; None for `failed/`.
            since: Time of its claim (monotonic s).
        """
        self.counts[destination or "failed"] += 1
        self._filing_seconds.observe(time.monotonic() - since)
        if prediction:
            self._probability.observe(prediction.probability)
            if prediction.look:
                self._looks.labels(str(prediction.look)).inc()
            if self._drift:
                self._drift.add([prediction.probability])
        if failure:
            self._failures.labels(failure.kind).inc()
        self._photos.labels(label or _NO_LABEL, destination or "failed").inc()

    @never_raises
    def dragged(self, label: Label) -> None:
        """Counts a label that a person gave by moving a photo."""
        self._dragged.labels(label).inc()
