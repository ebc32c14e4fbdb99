"""What is true of the daemon at the moment it is asked, gathered afresh for each answer."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from daemon.monitoring.drift import Drift
from daemon.service.reporter import StatusReporter


def _drift(drift: Drift | None) -> Iterator[Metric]:
    stability = GaugeMetricFamily("foodsort_drift", "Population stability index of P(food) against the model's card.")
    shares = GaugeMetricFamily("foodsort_share", "Share of the newest photos, and on the card.", labels=["of", "where"])
    if drift:
        stability.add_metric([], drift.stability)
        shares.add_metric(["food", "newest"], drift.food)
        shares.add_metric(["food", "card"], drift.expected_food)
        shares.add_metric(["unsure", "newest"], drift.unsure)
        shares.add_metric(["unsure", "card"], drift.expected_unsure)
    yield stability
    yield shares


class MetricsCollector(Collector):
    """Figures that nobody has to count, as the status has them."""

    def __init__(self, root: Path, pulse: StatusReporter) -> None:
        self._root, self._pulse = root, pulse

    def collect(self) -> Iterator[Metric]:
        """The figures; the model is left out before it is loaded, and free room while the root cannot be asked."""
        pulse = self._pulse
        pipeline = pulse.pipeline
        waiting = GaugeMetricFamily("foodsort_waiting_photos", "Photos that are not filed yet.", labels=["place"])
        waiting.add_metric(["inbox"], pulse.waiting)
        waiting.add_metric(["in_flight"], pipeline.in_flight if pipeline else 0)
        yield waiting
        yield GaugeMetricFamily("foodsort_oldest_waiting_seconds", "How long the oldest of them waits.", pulse.oldest_s)
        yield GaugeMetricFamily("foodsort_healthy", "1 when /healthz says 200, else 0.", pulse.health.well)
        yield GaugeMetricFamily("foodsort_in_trouble", "1 while trouble is waited out, else 0.", pulse.in_trouble)
        yield CounterMetricFamily(
            "foodsort_decoder_deaths", "Decoders that ended unasked.", pipeline.decoder_deaths if pipeline else 0
        )
        model = InfoMetricFamily("foodsort_model", "The model, and the engine that runs it now.")
        if network := pulse.network:
            bundle, engine = network
            named = {"name": bundle.model_name, "sha256": bundle.sha256, "engine": engine.name}
            model.add_metric([], named)
        yield model
        yield from _drift(pulse.drift)
        room = GaugeMetricFamily("foodsort_disk_free_bytes", "Room on the root's disk.")
        with suppress(OSError):
            disk = os.statvfs(self._root)
            room.add_metric([], disk.f_bavail * disk.f_frsize)
        yield room
