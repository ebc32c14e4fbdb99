"""`python -m benchmarks.latency`: from a photo's rename into an idle inbox to its row and its place, part by part."""

import argparse
import os
import random
import signal
import tempfile
import threading
import time
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks import race
from benchmarks.machine import machine
from benchmarks.workloads import WORKLOADS, lay
from daemon import failpoints
from daemon.inbox.intake import Intake
from daemon.monitoring.log import configure
from daemon.monitoring.progress import Progress
from daemon.service.lifecycle import Service
from daemon.settings import Settings
from models.bundle import Bundle
from models.engines import open_engine
from models.images.decode import decode

PHOTOS = race.PROJECT.parent / "shared/data/bench"
PARTS = ("event", "claimed", "batched", "classified", "recorded", "moved", "synced", "finished")
"""What a photo passes, in order: the event is with the intake; its folder and its row are on the disk at the end."""
WARMING = 10
PATIENCE_S = 60.0


def main() -> None:
    """Prints the table; exits 1 with a message where the photos are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder with web/")
    parser.add_argument("--number", type=int, default=200, help="how many photos are dropped, one at a time")
    parser.add_argument("--pause", type=float, default=0.3, help="longest pause between two, in seconds")
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--root", type=Path, action="append", help="folder on the disk to try, such as /dev/shm")
    given = parser.parse_args()
    here = machine()
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{here.processor}, {here.cores} cores, {' '.join(here.flags)}, load {os.getloadavg()[0]:.1f}")
    settings = Settings.model_validate({"model": {"engine": given.engine}})
    for place in given.root or [Path(tempfile.gettempdir())]:
        with tempfile.TemporaryDirectory(prefix="foodsort-latency-", dir=place) as folder:
            try:
                photos = lay(WORKLOADS["web"], given.number + WARMING, given.photos, Path(folder, "photos"))
            except FileNotFoundError as error:
                parser.exit(1, f"benchmarks: {error}\n")
            os.sync()
            alone_ms = alone(photos[WARMING:], settings, given.pause)
            stamps = Drops(photos, given.pause).through(Path(folder), settings)
        say(f"{given.number} photos, one at a time, on {place}", table(1000 * stamps[WARMING:], alone_ms))


def alone(photos: list[Path], settings: Settings, pause_s: float) -> npt.NDArray[np.float64]:
    """Milliseconds to decode each photo from the page cache and to run the network on it, columns (decode, inference)."""
    bundle = Bundle.load()
    engine = open_engine(settings.model.engine, bundle, settings.batch.max_size)
    took = []
    for photo in photos:
        time.sleep(random.uniform(0.1, 1) * pause_s)  # caches and clocks as a photo finds them that comes alone
        data, start = photo.read_bytes(), time.perf_counter()
        pixels = decode(data, bundle.card.fit).pixels
        decoded = time.perf_counter()
        engine.logits(pixels[None])
        took.append((decoded - start, time.perf_counter() - decoded))
    return 1000 * np.array(took)


class Drops:
    """Drops photos into a daemon of this process, one when the last is done, and stamps what they pass."""

    def __init__(self, photos: list[Path], pause_s: float) -> None:
        self._photos, self._pause_s = photos, pause_s
        self._stamps: dict[str, float] = {}
        self._done = threading.Event()
        self._took: list[list[float]] = []

    def through(self, root: Path, settings: Settings) -> npt.NDArray[np.float64]:
        """Seconds from the rename to each of PARTS, a row a photo."""
        point, handle = failpoints.failpoint, Intake.handle

        def handled(intake: Intake, message: Any) -> None:
            self._stamp("event")
            handle(intake, message)

        setattr(failpoints, "point", self._stamp)  # noqa: B010  # mypy knows that it is a function
        setattr(Intake, "handle", handled)  # noqa: B010
        configure(terminal=False)
        try:
            with (
                Path(os.devnull).open("w") as nowhere,
                redirect_stderr(nowhere),
                Progress(Console(quiet=True)) as progress,
            ):
                daemon = Service(root, settings, progress, once=False, dry_run=False)
                daemon.start()
                dropper = threading.Thread(target=self._drop, args=(root / "inbox",))
                dropper.start()
                daemon.run()
                dropper.join()
        finally:
            failpoints.failpoint, Intake.handle = point, handle  # type: ignore[method-assign]
        return np.array(self._took)

    def _stamp(self, name: str) -> None:
        self._stamps.setdefault(name, time.perf_counter())
        if name == "finished":
            self._done.set()

    def _drop(self, inbox: Path) -> None:
        try:
            for photo in self._photos:
                time.sleep(random.uniform(0.1, 1) * self._pause_s)
                self._stamps.clear()
                self._done.clear()
                start = time.perf_counter()
                photo.rename(inbox / photo.name)
                if not self._done.wait(PATIENCE_S):
                    raise TimeoutError(f"{photo.name} was not sorted; {self._stamps}")
                self._took.append([self._stamps[name] - start for name in PARTS])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)


def table(stamps_ms: npt.NDArray[np.float64], alone_ms: npt.NDArray[np.float64]) -> Table:
    """Percentiles of each part and of the whole, and how they stand to decode plus one inference."""
    whole = stamps_ms[:, -1]
    rows = dict(zip(PARTS, np.diff(stamps_ms, axis=1, prepend=0).T, strict=True)) | {"all": whole}
    rows |= {"decode alone": alone_ms[:, 0], "one inference alone": alone_ms[:, 1], "both alone": alone_ms.sum(1)}
    shown = Table("part", "p50, ms", "p90, ms", "p99, ms")
    for name, values in rows.items():
        shown.add_row(name, *(f"{value:.2f}" for value in np.percentile(values, (50, 90, 99))))
    base = float(np.median(alone_ms.sum(1)))
    shown.add_row("all ÷ median of both", *(f"{value / base:.2f}" for value in np.percentile(whole, (50, 90, 99))))
    return shown


if __name__ == "__main__":
    main()
