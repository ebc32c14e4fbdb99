"""`python -m benchmarks.busy`: how busy the pipeline keeps an engine as fast as a published GPU, pixels handed in decoded."""

import argparse
import os
import resource
import tempfile
import threading
import time
from contextlib import redirect_stderr
from pathlib import Path

import numpy as np
from rich.console import Console

from daemon.decoders.pool import DecoderPool
from daemon.monitoring.log import configure
from daemon.monitoring.progress import Progress
from daemon.pipeline import loaded_model
from daemon.service import runtime
from daemon.service.lifecycle import Service
from daemon.settings import BatchSettings, Settings, WatchSettings
from models.engines.base import Logits
from models.engines.scripted import ScriptedEngine
from models.images.decode import Fit, Picture, Pixels

PHOTOS_S, BATCH = 3941, 64
"""ResNet-50 on an A100 (TensorFlow, mixed precision, XLA): photos a second in batches of so many."""


class Timed(ScriptedEngine):
    """Answers when the GPU would; the time between its first batch and its last, and how much of that it had work."""

    largest = BATCH

    def __init__(self) -> None:
        self.photos, self.worked_s, self.begun, self.ended = 0, 0.0, 0.0, 0.0

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,)."""
        now = time.perf_counter()
        self.begun = self.begun or now
        time.sleep(BATCH / PHOTOS_S)  # a GPU takes about as long for fewer
        self.ended = time.perf_counter()
        self.photos += len(pixels)
        self.worked_s += len(pixels) / PHOTOS_S
        return np.ones(len(pixels), np.float32)


class HandedIn(DecoderPool):
    """Pixels of the right size, at once."""

    def __init__(self, fit: Fit, max_pixels: int, timeout_s: float) -> None:
        self.size = max(2, len(os.sched_getaffinity(0)))
        self._picture = Picture(np.zeros((fit.side, fit.side, 3), np.uint8), "JPEG", fit.side, fit.side)
        self._lock = threading.Lock()

    def decode(self, fd: int) -> Picture:
        """The same picture every time."""
        return self._picture

    def stop(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to close."""


def main() -> None:
    """Prints how busy the engine was, and how many cores the pipeline would need to keep it so for 90 % of the time."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.busy", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="how many files are sorted (%(default)s)")
    count = parser.parse_args().count
    configure(terminal=False)
    engine = Timed()
    setattr(loaded_model, "open_engine", lambda *_: engine)  # noqa: B010  # mypy knows it under no such name
    setattr(runtime, "DecoderPool", HandedIn)  # noqa: B010
    settings = Settings(watch=WatchSettings(settle_s=0.01), batch=BatchSettings(max_size=BATCH))
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):
        root = Path(folder)
        (root / "inbox").mkdir()
        for number in range(count):
            (root / "inbox" / f"{number:06}.jpg").write_bytes(b"%d" % number)
        sorting = Service(root, settings, Progress(Console(stderr=True)), once=True, dry_run=False)
        sorting.start()
        before = _core_seconds()
        sorting.run()
        core_ms = 1000 * (_core_seconds() - before) / count
    seconds = engine.ended - engine.begun
    say = Console(highlight=False, soft_wrap=True).print
    say(f"an engine of {PHOTOS_S} photos/s in batches of {BATCH}, {count} files")
    say(f"busy {engine.worked_s / seconds:.0%}: {engine.photos / seconds:.0f} photos/s, {core_ms:.2f} core-ms a photo")
    cores = 0.9 * PHOTOS_S * core_ms / 1000
    say(
        f"90 % would take {cores:.1f} cores' work a second; one Python process runs its own code on one of them at a time"
    )


def _core_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
