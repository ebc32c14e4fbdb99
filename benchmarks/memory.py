"""`python -m benchmarks.memory PHOTOS`: what the daemon holds while it sorts 20,000 photos, and a plot of its memory."""

import argparse
import contextlib
import io
import itertools
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console

from benchmarks.engines import processor

SAMPLE_S = 0.5
PORTION = 500
"""Photos that are dropped at once; the next portion follows when half of it is sorted."""
SETTLED = 2_000
"""Photos after which all buffers have the size that they keep."""


class Sample(NamedTuple):
    """Photos recorded so far; resident memory of the daemon and, together, of its decoders, in MiB.

    descriptors, threads: of the daemon.
    """

    photos: int
    daemon: float
    decoders: float
    descriptors: int
    threads: int


def main() -> None:
    """Sorts copies of the photos in a temporary root, prints what memory was at the thirds, and draws the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos; copies are made distinct by some bytes at the end")
    parser.add_argument("--number", type=int, default=20_000, help="how many to sort")
    parser.add_argument("--engine", default="auto", help="what runs the model")
    parser.add_argument("--plot", type=Path, help="SVG file to draw")
    given = parser.parse_args()
    sources = [path.read_bytes() for path in sorted(given.photos.glob("*.*"))]
    if not sources:
        parser.exit(1, f"benchmarks: {given.photos} holds no photos; name a folder that does\n")
    with tempfile.TemporaryDirectory() as folder:
        samples = measure(Path(folder), sources, given.number, given.engine)
    say = Console(highlight=False, soft_wrap=True).print
    say(f"{given.number} photos, engine {given.engine}, {processor()}")
    for part, of in zip(("first", "second", "last"), thirds(samples), strict=True):
        daemon, decoders = max(one.daemon for one in of), max(one.decoders for one in of)
        held = f"{max(one.descriptors for one in of)} descriptors, {max(one.threads for one in of)} threads"
        say(f"{part:6} third: daemon at most {daemon:.0f} MiB, decoders together {decoders:.0f} MiB, {held}")
    if samples[-1].photos > SETTLED:
        say(f"after the first {SETTLED} photos the daemon grows by {slope(samples):.2f} MiB per 1,000")
    if given.plot:
        given.plot.write_text(draw(samples), encoding="utf-8")


def measure(root: Path, sources: list[bytes], number: int, engine: str) -> list[Sample]:
    """Runs the daemon on a root and drops photos until `number` are recorded; a sample twice a second."""
    (root / "inbox").mkdir()
    environment = os.environ | {"FOODSORT_MODEL__ENGINE": engine}
    command = [sys.executable, "-m", "daemon", "run", "--root", str(root)]
    with (root / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    samples: list[Sample] = []
    dropped = 0
    try:
        while not samples or samples[-1].photos < number:
            if daemon.poll() is not None:
                sys.exit((root / "daemon.log").read_text())
            done = recorded(root)
            if dropped < number and dropped - done < PORTION // 2:
                for one in range(dropped, min(dropped + PORTION, number)):
                    (root / "new").write_bytes(sources[one % len(sources)] + b"%08d" % one)
                    (root / "new").rename(root / f"inbox/{one}.jpg")
                dropped = min(dropped + PORTION, number)
            if done:
                decoders = sum(map(resident, children(daemon.pid)))
                held = (len(os.listdir(f"/proc/{daemon.pid}/{what}")) for what in ("fd", "task"))
                samples.append(Sample(done, resident(daemon.pid), decoders, *held))
            time.sleep(SAMPLE_S)
    finally:
        daemon.terminate()
        daemon.wait(60)
    return samples


def recorded(root: Path) -> int:
    """Rows of photos in the root's database; 0 while there is none."""
    if not (root / "foodsort.db").exists():
        return 0
    with contextlib.closing(sqlite3.connect(root / "foodsort.db", timeout=30)) as database:
        try:
            return int(database.execute("SELECT coalesce(max(id), 0) FROM photos").fetchone()[0])
        except sqlite3.OperationalError:  # its tables are being made
            return 0


def resident(pid: int) -> float:
    """Resident memory of a process in MiB, 0 when it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    lists = (Path(f"/proc/{pid}/task/{task}/children").read_text() for task in os.listdir(f"/proc/{pid}/task"))
    return [int(child) for child in itertools.chain.from_iterable(map(str.split, lists))]


def slope(samples: list[Sample]) -> float:
    """MiB that the daemon grows by for 1,000 photos once it is settled: least squares over the samples."""
    settled = [one for one in samples if one.photos > SETTLED]
    return 1000 * statistics.linear_regression([one.photos for one in settled], [one.daemon for one in settled]).slope


def thirds(samples: list[Sample]) -> list[list[Sample]]:
    """The samples in three parts of equally many photos."""
    last = samples[-1].photos
    return [[one for one in samples if part <= 3 * (one.photos - 1) // last < part + 1] for part in range(3)]


def draw(samples: list[Sample]) -> str:
    """The plot as SVG."""

    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    photos = [one.photos for one in samples]
    axes.plot(photos, [one.daemon for one in samples], color="#b4490f", label="daemon")
    axes.plot(photos, [one.decoders for one in samples], color="#2563a8", label="its decoders together")
    axes.set(xlabel="photos sorted", ylabel="resident memory, MiB", ylim=(0, None), xlim=(0, None))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e5e7eb")
    axes.legend(frameon=False)
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "foodsort"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


if __name__ == "__main__":
    main()
