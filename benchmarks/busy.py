"""`python -m benchmarks.busy`: utilisation of an engine as fast as a GPU, when photos are already decoded."""

import argparse
import os
import resource
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.in_process import replaced, started_service
from daemon.decoders.pool import DecoderPool
from daemon.monitoring.log import configure
from daemon.pipeline import loaded_model
from daemon.retry import Retrier
from daemon.service import runtime
from daemon.settings import BatchSettings, Settings, WatchSettings
from models.engines.base import Logits
from models.engines.scripted import ScriptedEngine
from models.images.decode import Fit, Picture, Pixels, Within

PHOTOS_S = 3941
"""Photos a second of ResNet-50 on an A100 (TensorFlow, mixed precision, XLA) in batches of BATCH."""
BATCH = 64
TARGET_UTILISATION = 0.9


class TimedEngine(ScriptedEngine):
    """An engine that takes as long as the GPU.

    Attributes:
        photos: Number of photos so far.
        busy_s: Seconds in which it had photos to work on.
        begin: Time of its first batch.
        end: Time of the end of its last batch.
    """

    largest = BATCH

    def __init__(self) -> None:
        self.photos = 0
        self.busy_s = 0.0
        self.begin = 0.0
        self.end = 0.0

    def logits(self, pixels: Pixels) -> Logits:
        """Waits; uint8 RGB (n, side, side, 3) → float32 (n,)."""
        self.begin = self.begin or time.perf_counter()
        time.sleep(BATCH / PHOTOS_S)  # a GPU takes about as long for a smaller batch
        self.end = time.perf_counter()
        self.photos += len(pixels)
        self.busy_s += len(pixels) / PHOTOS_S
        return np.ones(len(pixels), np.float32)


class DecodedPhotos(DecoderPool):
    """Returns pixels of the right size at once."""

    def __init__(
        self, fit: Fit | Within, max_pixels: int, timeout_s: float, size: int = 0, retrier: Retrier | None = None
    ) -> None:
        self.size = max(2, len(os.sched_getaffinity(0)))
        self.deaths = 0
        self._picture = Picture(np.zeros((fit.side, fit.side, 3), np.uint8), "JPEG", fit.side, fit.side)
        self._lock = threading.Lock()

    def raise_if_stopped(self) -> None:
        """Does nothing: `run --once` ends by itself."""

    def decode(self, fd: int) -> Picture:
        """Returns the same picture every time."""
        return self._picture

    def stop(self) -> None:
        """Does nothing: there are no processes."""

    def close(self) -> None:
        """Does nothing: there are no processes."""


def main() -> None:
    """Prints the utilisation of the engine, and the cores that the pipeline would need for 90 %."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="number of files to sort (default: %(default)s)")
    count = parser.parse_args().count
    configure(terminal=False)
    engine = TimedEngine()
    settings = Settings(watch=WatchSettings(settle_s=0.01), batch=BatchSettings(max_size=BATCH))
    with (
        tempfile.TemporaryDirectory() as folder,
        replaced(loaded_model, "open_engine", lambda *_: engine),
        replaced(runtime, "DecoderPool", DecodedPhotos),
    ):
        root = Path(folder)
        (root / "inbox").mkdir()
        for number in range(count):
            (root / "inbox" / f"{number:06}.jpg").write_bytes(b"%d" % number)
        with started_service(root, settings, once=True) as service:
            core_begin = _core_seconds()
            service.run()
            core_ms = 1000 * (_core_seconds() - core_begin) / count
    seconds = engine.end - engine.begin
    utilisation = engine.busy_s / seconds
    cores = TARGET_UTILISATION * PHOTOS_S * core_ms / 1000
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"an engine of {PHOTOS_S} photos/s in batches of {BATCH}, {count} files")
    output.print(
        f"utilisation {utilisation:.0%}: {engine.photos / seconds:.0f} photos/s, {core_ms:.2f} core-ms a photo"
    )
    output.print(
        f"{TARGET_UTILISATION:.0%} would need {cores:.1f} cores; "
        "one Python process runs its own code on one core at a time"
    )


def _core_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
