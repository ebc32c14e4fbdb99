"""`python -m benchmarks.latency`: time from a photo's rename into an idle inbox to its filing, stage by stage."""

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.in_process import replaced, started_service
from benchmarks.machine import machine
from benchmarks.workloads import DEFAULT_PHOTOS, WORKLOADS, write_photos
from daemon import failpoints
from daemon.inbox.intake import Intake
from daemon.monitoring import status_file
from daemon.monitoring.log import configure
from daemon.settings import Settings
from models.bundle import Bundle
from models.cascade import look
from models.engines import open_engine
from models.images.decode import decode

STAGES = ("event", "claimed", "batched", "classified", "recorded", "moved", "synced", "finished")
"""The stages of a photo in order, from the event in the intake to its folder and its row on the disk."""
WARM_UP_PHOTOS = 10
TIMEOUT_S = 60.0


def main() -> None:
    """Prints the table; exits with 1 and a message if the photos are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--photos", type=Path, default=DEFAULT_PHOTOS, help="folder with web/ (default: %(default)s)")
    parser.add_argument("--number", type=int, default=200, help="photos to drop, one at a time (default: %(default)s)")
    parser.add_argument(
        "--pause", type=float, default=0.3, help="longest pause between two photos, seconds (default: %(default)s)"
    )
    parser.add_argument("--engine", default="auto", help="engine that runs the model (default: %(default)s)")
    parser.add_argument(
        "--root",
        type=Path,
        action="append",
        help="folder on the disk to measure, such as /dev/shm; repeatable (default: the system's temporary folder)",
    )
    arguments = parser.parse_args()
    this_machine = machine()
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"{this_machine.describe()}, {' '.join(this_machine.flags)}")
    settings = Settings.model_validate({"model": {"engine": arguments.engine}})
    for parent in arguments.root or [Path(tempfile.gettempdir())]:
        with tempfile.TemporaryDirectory(prefix="foodsort-latency-", dir=parent) as folder:
            number = arguments.number + WARM_UP_PHOTOS
            try:
                photos = write_photos(WORKLOADS["web"], number, arguments.photos, Path(folder, "photos"))
            except FileNotFoundError as error:
                parser.exit(1, f"benchmarks: {error}\n")
            os.sync()
            baseline_ms = measure_baseline(photos[WARM_UP_PHOTOS:], settings, arguments.pause)
            stages_s = LatencyRun(photos, arguments.pause).measure(Path(folder), settings)
        output.print(f"{arguments.number} photos, one at a time, on {parent}")
        output.print(table(1000 * stages_s[WARM_UP_PHOTOS:], baseline_ms))


def measure_baseline(photos: list[Path], settings: Settings, pause_s: float) -> npt.NDArray[np.float64]:
    """Measures decoding (from the page cache) and inference outside of the daemon.

    Returns:
        Milliseconds (n, 2): decoding, inference.
    """
    bundle = Bundle.load()
    engine = open_engine(settings.model.engine, bundle, settings.batch.max_size)
    seconds = []
    for photo in photos:
        time.sleep(random.uniform(0.1, 1) * pause_s)  # so that CPU caches and clock speed are as for a single photo
        data = photo.read_bytes()
        begin = time.perf_counter()
        pixels = decode(data, bundle.card.fit).pixels
        decoded = time.perf_counter()
        look(engine.logits, pixels[None], bundle.card.cascade)
        seconds.append((decoded - begin, time.perf_counter() - decoded))
    return 1000 * np.array(seconds)


class LatencyRun:
    """Drops photos into a daemon in this process, each after the one before is done, and times their stages."""

    def __init__(self, photos: list[Path], pause_s: float) -> None:
        self._photos = photos
        self._pause_s = pause_s
        self._times: dict[str, float] = {}
        self._done = threading.Event()
        self._rows: list[list[float]] = []

    def measure(self, root: Path, settings: Settings) -> npt.NDArray[np.float64]:
        """Returns the seconds (n, 8) from the rename of each photo to the end of each of STAGES."""
        handle = Intake.handle

        def timed_handle(intake: Intake, message: Any) -> None:
            self._reach("event")
            handle(intake, message)

        configure(terminal=False)
        with (
            replaced(failpoints, "failpoint", self._reach),
            replaced(Intake, "handle", timed_handle),
            started_service(root, settings, once=False) as service,
        ):
            dropper = threading.Thread(target=self._drop_photos, args=(root,))
            dropper.start()
            service.run()
            dropper.join()
        return np.array(self._rows)

    def _reach(self, stage: str) -> None:
        self._times.setdefault(stage, time.perf_counter())
        if stage == "finished":
            self._done.set()

    def _drop_photos(self, root: Path) -> None:
        inbox = root / "inbox"
        try:
            while status_file.read(root, inbox)["state"] == "starting":  # a photo before that causes no event
                time.sleep(0.1)
            for photo in self._photos:
                time.sleep(random.uniform(0.1, 1) * self._pause_s)
                self._times.clear()
                self._done.clear()
                begin = time.perf_counter()
                photo.rename(inbox / photo.name)
                if not self._done.wait(TIMEOUT_S):
                    raise TimeoutError(f"{photo.name} was not sorted; stages: {self._times}")
                self._rows.append([self._times[stage] - begin for stage in STAGES])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


def table(stages_ms: npt.NDArray[np.float64], baseline_ms: npt.NDArray[np.float64]) -> Table:
    """Builds the table: percentiles of each stage and of the total, and the ratio of the total to the baseline."""
    total = stages_ms[:, -1]
    durations = np.diff(stages_ms, axis=1, prepend=0).T
    rows = dict(zip(STAGES, durations, strict=True)) | {
        "total": total,
        "decode alone": baseline_ms[:, 0],
        "inference alone": baseline_ms[:, 1],
        "both alone": baseline_ms.sum(axis=1),
    }
    result = Table("stage", "p50, ms", "p90, ms", "p99, ms")
    for name, values in rows.items():
        result.add_row(name, *(f"{value:.2f}" for value in np.percentile(values, (50, 90, 99))))
    median_baseline = float(np.median(baseline_ms.sum(axis=1)))
    ratios = np.percentile(total, (50, 90, 99)) / median_baseline
    result.add_row("total ÷ median of both alone", *(f"{ratio:.2f}" for ratio in ratios))
    return result


if __name__ == "__main__":
    main()
