"""`python -m benchmarks.scale`: a daemon before an inbox of a million files: when it begins, its memory, the cost of a photo."""

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
from benchmarks.memory import children, recorded
from benchmarks.start import Daemon

DISTINCT = 20
FILED, FEW = 20_000, 10_000
"""Photos that a cost is taken over, and files that wait at the end of that in the smaller inbox."""
WARMING = 1_000
"""Photos that are filed before the cost is taken: the first batches of a life cost more."""
SPARE = 2 * WARMING
"""Files beside those asked for, so that no fewer wait when the cost is taken: the warming and what is filed between two looks."""
SETTLE_S = 0.2
SAMPLE_S = 0.05


class Run(NamedTuple):
    """What a daemon did with an inbox: seconds to READY and from there to the first photo filed, most MB resident, ms a photo.

    waiting: files of the inbox that were not filed yet when the last photo was that the cost was taken over.
    left, filed: files in the inbox and in the destination folders after it was stopped.
    """

    files: int
    ready_s: float
    first_s: float
    most_mb: float
    wall_ms: float
    core_ms: float
    waiting: int
    left: int
    filed: int


def main() -> None:
    """Prints the table; exits 1 when a file was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--files", type=int, default=1_000_000, help="files in the larger inbox (%(default)s)")
    parser.add_argument("--folder", type=Path, help="where to put the inboxes; the system's temporary folder otherwise")
    given = parser.parse_args()
    fewest = FEW + FILED
    if given.files < fewest:
        parser.error(f"--files: {fewest} at least, which is what the larger inbox is compared with")
    os.environ |= {"FOODSORT_MODEL__ENGINE": "scripted", "FOODSORT_WATCH__SETTLE_S": str(SETTLE_S)}
    say = Console(highlight=False, soft_wrap=True).print
    here = machine()
    say(
        f"{here.processor}, {here.cores} cores, load {os.getloadavg()[0]:.1f}; the scripted engine, settle_s {SETTLE_S}"
    )
    runs = []
    for files in (fewest, given.files):
        with tempfile.TemporaryDirectory(prefix="foodsort-scale-", dir=given.folder) as folder:
            runs.append(run(Path(folder), files + SPARE))
    say(table(runs))
    few, many = runs
    wall, core = many.wall_ms / few.wall_ms, many.core_ms / few.core_ms
    say(
        f"with {many.waiting} files waiting a photo costs {wall:.2f} × the time, {core:.2f} × the CPU of one with {few.waiting}"
    )
    if lost := [one.files - one.left - one.filed for one in runs if one.files != one.left + one.filed]:
        parser.exit(1, f"benchmarks: files were lost: {lost}\n")


def table(runs: list[Run]) -> Table:
    """A row a run."""
    shown = Table("files", "READY, s", "first, s", "RSS, MB", "ms", "core-ms", "waiting", "filed")
    for one in runs:
        times = (f"{one.ready_s:.1f}", f"{one.first_s:.2f}")
        costs = (f"{one.wall_ms:.2f}", f"{one.core_ms:.2f}")
        shown.add_row(str(one.files), *times, f"{one.most_mb:.0f}", *costs, str(one.waiting), str(one.filed))
    return shown


def run(root: Path, files: int) -> Run:
    """Runs a daemon before an inbox of so many files until FILED of them are filed."""
    fill(root, files)

    def until(photos: int) -> int:
        """Waits until so many photos are recorded; returns how many are."""
        while (done := recorded(root)) < photos:
            if daemon.process.poll() is not None:
                sys.exit("benchmarks: the daemon ended; `foodsort run` says why")
            time.sleep(SAMPLE_S)
        return done

    with Daemon(root) as daemon:
        ready = time.perf_counter()
        wait(lambda: any(map(count, (root / "food", root / "non_food"))))
        first_s = time.perf_counter() - ready
        begun = until(WARMING), time.perf_counter(), core_s(daemon.process.pid)
        ended = until(begun[0] + FILED), time.perf_counter(), core_s(daemon.process.pid)
        waiting, most_mb = files - ended[0], peak_mb(daemon.process.pid)
    photos, wall_s, used_s = (after - before for after, before in zip(ended, begun, strict=True))
    costs = 1000 * wall_s / photos, 1000 * used_s / photos
    filed = sum(map(count, (root / "food", root / "non_food", root / "failed")))
    return Run(files, daemon.ready_s, first_s, most_mb, *costs, waiting, count(root / "inbox"), filed)


def fill(root: Path, files: int) -> None:
    """An inbox of links to DISTINCT photos: a file has room for 65,000 names on ext4."""
    (root / "inbox").mkdir(parents=True)
    photos = []
    for number in range(DISTINCT):
        photos.append(root / f"{number}.jpg")
        red, blue = (200, 40) if number % 2 else (40, 200)
        Image.new("RGB", (64, 64), (red, 10 * number, blue)).save(photos[-1], "JPEG", quality=95)
    for number, photo in zip(range(files), itertools.cycle(photos), strict=False):
        os.link(photo, f"{root}/inbox/{number:07}.jpg")


def wait(done: Callable[[], bool]) -> None:
    """Waits for a condition, looking every few milliseconds."""
    while not done():
        time.sleep(0.005)


def count(folder: Path) -> int:
    """Files in a folder, without hidden ones."""
    with os.scandir(folder) as entries:
        return sum(not entry.name.startswith(".") for entry in entries)


def peak_mb(pid: int) -> float:
    """The most memory that a process has had resident since it began, in MB; see proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM:"))


def core_s(pid: int) -> float:
    """Seconds of processor time that a process and its children have used, ended ones too; see proc_pid_stat(5)."""
    own, *others = (Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (pid, *children(pid)))
    ticks = [*own[11:15], *(tick for other in others for tick in other[11:13])]
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
