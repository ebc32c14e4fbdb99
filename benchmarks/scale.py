"""`python -m benchmarks.scale`: start-up, memory and cost a photo of a daemon with a million files in its inbox."""

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from benchmarks.memory import recorded
from benchmarks.process import Daemon, core_seconds, peak_resident_mb

DISTINCT_PHOTOS = 20
MEASURED_PHOTOS = 20_000
"""Photos over which the cost is measured."""
SMALL_INBOX = 10_000
"""Files that are waiting in the smaller inbox at the end of the measurement."""
WARM_UP_PHOTOS = 1_000
"""Photos that are filed before the measurement, because the first batches cost more."""
SPARE_FILES = 2 * WARM_UP_PHOTOS
"""Extra files, so that no fewer wait at the end: the warm-up, and the photos filed between two checks."""
SETTLE_S = 0.2
SAMPLE_S = 0.05


class Run(NamedTuple):
    """The result of one inbox.

    Attributes:
        files: Files in the inbox at the start.
        ready_s: Seconds to READY.
        first_s: Seconds from READY to the first filed photo.
        peak_mb: Peak resident memory, MB.
        wall_ms: Wall-clock milliseconds a photo.
        core_ms: CPU milliseconds a photo.
        waiting: Files still in the inbox at the end of the measurement.
        remaining: Files in the inbox after the stop.
        filed: Files in the destination folders after the stop.
    """

    files: int
    ready_s: float
    first_s: float
    peak_mb: float
    wall_ms: float
    core_ms: float
    waiting: int
    remaining: int
    filed: int


class Reading(NamedTuple):
    """Photos recorded, and the clocks at that moment."""

    photos: int
    wall_s: float
    core_s: float


def main() -> None:
    """Prints the table; exits with 1 if a file was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000, help="files in the larger inbox (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="folder for the inboxes (default: the system's temporary folder)")
    arguments = parser.parse_args()
    smaller = SMALL_INBOX + MEASURED_PHOTOS
    if arguments.files < smaller:
        parser.error(f"--files must be at least {smaller}, the size of the smaller inbox")
    os.environ["FOODSORT_MODEL__ENGINE"] = "scripted"
    os.environ["FOODSORT_WATCH__SETTLE_S"] = str(SETTLE_S)
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"{machine().describe()}; the scripted engine, settle_s {SETTLE_S}")
    runs = []
    for files in (smaller, arguments.files):
        with tempfile.TemporaryDirectory(prefix="foodsort-scale-", dir=arguments.folder) as folder:
            runs.append(run(Path(folder), files + SPARE_FILES))
    output.print(table(runs))
    few, many = runs
    output.print(
        f"with {many.waiting} files waiting, a photo takes {many.wall_ms / few.wall_ms:.2f} × the time and "
        f"{many.core_ms / few.core_ms:.2f} × the CPU of a photo with {few.waiting} waiting"
    )
    lost = [one.files - one.remaining - one.filed for one in runs]
    if any(lost):
        parser.exit(1, f"benchmarks: files were lost: {lost}\n")


def table(runs: list[Run]) -> Table:
    """Builds a table with one row for each run."""
    result = Table("files", "READY, s", "first, s", "RSS, MB", "ms", "core-ms", "waiting", "filed")
    for one in runs:
        result.add_row(
            str(one.files),
            f"{one.ready_s:.1f}",
            f"{one.first_s:.2f}",
            f"{one.peak_mb:.0f}",
            f"{one.wall_ms:.2f}",
            f"{one.core_ms:.2f}",
            str(one.waiting),
            str(one.filed),
        )
    return result


def run(root: Path, files: int) -> Run:
    """Runs a daemon on an inbox of `files` files until MEASURED_PHOTOS of them are filed."""
    fill(root, files)
    with Daemon(root) as daemon:
        ready = time.perf_counter()
        wait(lambda: any(map(count, (root / "food", root / "non_food"))))
        first_s = time.perf_counter() - ready
        begin = _wait_for_photos(root, daemon, WARM_UP_PHOTOS)
        end = _wait_for_photos(root, daemon, begin.photos + MEASURED_PHOTOS)
        peak_mb = peak_resident_mb(daemon.process.pid)
    photos = end.photos - begin.photos
    return Run(
        files=files,
        ready_s=daemon.ready_s,
        first_s=first_s,
        peak_mb=peak_mb,
        wall_ms=1000 * (end.wall_s - begin.wall_s) / photos,
        core_ms=1000 * (end.core_s - begin.core_s) / photos,
        waiting=files - end.photos,
        remaining=count(root / "inbox"),
        filed=sum(map(count, (root / "food", root / "non_food", root / "failed"))),
    )


def _wait_for_photos(root: Path, daemon: Daemon, photos: int) -> Reading:
    """Waits until `photos` are recorded; exits this process if the daemon ends before."""
    while (done := recorded(root)) < photos:
        if daemon.process.poll() is not None:
            sys.exit("benchmarks: the daemon ended; run `foodsort run` to see why")
        time.sleep(SAMPLE_S)
    return Reading(photos=done, wall_s=time.perf_counter(), core_s=core_seconds(daemon.process.pid))


def fill(root: Path, files: int) -> None:
    """Makes an inbox of hard links to DISTINCT_PHOTOS photos; ext4 allows 65,000 links to one file."""
    (root / "inbox").mkdir(parents=True)
    photos = []
    for number in range(DISTINCT_PHOTOS):
        photos.append(root / f"{number}.jpg")
        red, blue = (200, 40) if number % 2 else (40, 200)
        Image.new("RGB", (64, 64), (red, 10 * number, blue)).save(photos[-1], "JPEG", quality=95)
    for number, photo in zip(range(files), itertools.cycle(photos), strict=False):
        os.link(photo, f"{root}/inbox/{number:07}.jpg")


def wait(condition: Callable[[], bool]) -> None:
    """Waits for a condition; checks it every few milliseconds."""
    while not condition():
        time.sleep(0.005)


def count(folder: Path) -> int:
    """Returns the number of files in a folder, without hidden ones."""
    with os.scandir(folder) as entries:
        return sum(not entry.name.startswith(".") for entry in entries)


if __name__ == "__main__":
    main()
