"""Prometheus metrics that are read from the running daemon for each scrape."""

import os
from collections.abc import Iterator
from contextlib import suppress

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.monitoring.status_document import DriftStatus
from daemon.pipeline.loaded_model import LoadedModel
from daemon.service.reporter import StatusReporter
from daemon.service.runtime import ProcessContext


class MetricsCollector(Collector):
    """Metrics that agree with the status document."""

    def __init__(self, context: ProcessContext, reporter: StatusReporter) -> None:
        self._context = context
        self._reporter = reporter

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics; that of the model has no sample until it is loaded."""
        reporter = self._reporter
        runtime = reporter.runtime
        in_flight = runtime.pipeline.in_flight if runtime.is_open else 0
        deaths = runtime.decoders.deaths if runtime.is_open else 0
        waiting = GaugeMetricFamily("foodsort_waiting_photos", "Photos that are not filed yet.", labels=["place"])
        waiting.add_metric(["inbox"], reporter.waiting)
        waiting.add_metric(["in_flight"], in_flight)
        yield waiting
        yield GaugeMetricFamily("foodsort_oldest_waiting_seconds", "Wait of the oldest of them.", reporter.oldest_s)
        yield GaugeMetricFamily("foodsort_healthy", "1 when /healthz answers 200, else 0.", reporter.health.healthy)
        in_trouble = runtime.retrier.pending is not None
        yield GaugeMetricFamily("foodsort_in_trouble", "1 while the daemon retries, else 0.", in_trouble)
        yield CounterMetricFamily("foodsort_decoder_deaths", "Decoders that ended unexpectedly.", deaths)
        yield _model(runtime.model if runtime.is_open else None)
        yield from _drift(self._context.metrics.drift)
        free = GaugeMetricFamily("foodsort_disk_free_bytes", "Free space on the root's disk.")
        with suppress(OSError):  # no sample while the disk does not answer
            disk = os.statvfs(self._context.root)
            free.add_metric([], disk.f_bavail * disk.f_frsize)
        yield free


def _model(model: LoadedModel | None) -> Metric:
    family = InfoMetricFamily("foodsort_model", "The model, and the engine that runs it now.")
    if model:
        bundle = model.bundle
        family.add_metric([], {"name": bundle.model_name, "sha256": bundle.sha256, "engine": model.engine.name})
    return family


def _drift(drift: DriftStatus | None) -> Iterator[Metric]:
    stability = GaugeMetricFamily("foodsort_drift", "Population stability index of P(food) against the model's card.")
    shares = GaugeMetricFamily("foodsort_share", "Share of the newest photos, and on the card.", labels=["of", "where"])
    if drift:
        stability.add_metric([], drift["stability"])
        shares.add_metric(["food", "newest"], drift["food"])
        shares.add_metric(["food", "card"], drift["expected_food"])
        shares.add_metric(["unsure", "newest"], drift["unsure"])
        shares.add_metric(["unsure", "card"], drift["expected_unsure"])
    yield stability
    yield shares
