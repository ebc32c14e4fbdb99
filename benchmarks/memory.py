"""`python -m benchmarks.memory PHOTOS`: memory of the daemon while it sorts 20,000 photos, with a plot."""

import argparse
import contextlib
import io
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
from benchmarks.process import children, resident_mib

SAMPLE_S = 0.5
PORTION = 500
"""Photos that are dropped at once. The next portion follows when fewer than half of them are pending."""
SETTLED_AFTER = 2_000
"""Photos after which all buffers have reached their final size."""


class Sample(NamedTuple):
    """The memory at one moment.

    Attributes:
        photos: Photos recorded so far.
        daemon: Resident memory of the daemon, MiB.
        decoders: Resident memory of its decoders together, MiB.
        descriptors: Open file descriptors of the daemon.
        threads: Threads of the daemon.
    """

    photos: int
    daemon: float
    decoders: float
    descriptors: int
    threads: int


def main() -> None:
    """Sorts copies of the photos in a temporary root, prints the memory in each third, and draws the plot."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos; some bytes at the end make each copy distinct")
    parser.add_argument("--number", type=int, default=20_000, help="photos to sort (default: %(default)s)")
    parser.add_argument("--engine", default="auto", help="engine that runs the model (default: %(default)s)")
    parser.add_argument("--plot", type=Path, help="SVG file to draw")
    arguments = parser.parse_args()
    sources = [path.read_bytes() for path in sorted(arguments.photos.glob("*.*"))]
    if not sources:
        parser.exit(1, f"benchmarks: {arguments.photos} holds no photos; name a folder that does\n")
    with tempfile.TemporaryDirectory() as folder:
        samples = measure(Path(folder), sources, arguments.number, arguments.engine)
    output = Console(highlight=False, soft_wrap=True)
    output.print(f"{arguments.number} photos, engine {arguments.engine}, {processor()}")
    for name, third in zip(("first", "second", "last"), thirds(samples), strict=True):
        daemon = max(sample.daemon for sample in third)
        decoders = max(sample.decoders for sample in third)
        descriptors = max(sample.descriptors for sample in third)
        threads = max(sample.threads for sample in third)
        output.print(
            f"{name:6} third: daemon at most {daemon:.0f} MiB, decoders together {decoders:.0f} MiB, "
            f"{descriptors} descriptors, {threads} threads"
        )
    if samples[-1].photos > SETTLED_AFTER:
        output.print(f"after the first {SETTLED_AFTER} photos the daemon grows by {slope(samples):.2f} MiB per 1,000")
    if arguments.plot:
        arguments.plot.write_text(draw(samples), encoding="utf-8")


def measure(root: Path, sources: list[bytes], number: int, engine: str) -> list[Sample]:
    """Runs the daemon and drops photos until `number` are recorded; takes a sample twice a second."""
    (root / "inbox").mkdir()
    environment = os.environ | {"FOODSORT_MODEL__ENGINE": engine}
    command = [sys.executable, "-m", "daemon", "run", "--root", str(root)]
    log_path = root / "daemon.log"
    with log_path.open("wb") as log:
        daemon = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    samples: list[Sample] = []
    dropped = 0
    try:
        while not samples or samples[-1].photos < number:
            if daemon.poll() is not None:
                sys.exit(log_path.read_text())
            photos = recorded(root)
            if dropped < number and dropped - photos < PORTION // 2:
                end = min(dropped + PORTION, number)
                for index in range(dropped, end):
                    (root / "new").write_bytes(sources[index % len(sources)] + b"%08d" % index)
                    (root / "new").rename(root / f"inbox/{index}.jpg")
                dropped = end
            if photos:
                samples.append(_sample(photos, daemon.pid))
            time.sleep(SAMPLE_S)
    finally:
        daemon.terminate()
        daemon.wait(60)
    return samples


def _sample(photos: int, pid: int) -> Sample:
    return Sample(
        photos=photos,
        daemon=resident_mib(pid),
        decoders=sum(map(resident_mib, children(pid))),
        descriptors=len(os.listdir(f"/proc/{pid}/fd")),
        threads=len(os.listdir(f"/proc/{pid}/task")),
    )


def recorded(root: Path) -> int:
    """Returns the number of photos in the root's database; 0 if there is no database yet."""
    if not (root / "foodsort.db").exists():
        return 0
    with contextlib.closing(sqlite3.connect(root / "foodsort.db", timeout=30)) as database:
        try:
            return int(database.execute("SELECT coalesce(max(id), 0) FROM photos").fetchone()[0])
        except sqlite3.OperationalError:  # the tables do not exist yet
            return 0


def slope(samples: list[Sample]) -> float:
    """Returns the growth of the daemon in MiB per 1,000 photos: least squares over the samples after settling."""
    settled = [sample for sample in samples if sample.photos > SETTLED_AFTER]
    photos = [sample.photos for sample in settled]
    memory = [sample.daemon for sample in settled]
    return 1000 * statistics.linear_regression(photos, memory).slope


def thirds(samples: list[Sample]) -> list[list[Sample]]:
    """Divides the samples into three parts of equally many photos."""
    last = samples[-1].photos
    return [[sample for sample in samples if part <= 3 * (sample.photos - 1) // last < part + 1] for part in range(3)]


def draw(samples: list[Sample]) -> str:
    """Draws the plot as SVG."""
    figure = Figure(figsize=(7, 3.4), layout="constrained")
    axes = figure.add_subplot()
    photos = [sample.photos for sample in samples]
    axes.plot(photos, [sample.daemon for sample in samples], color="#b4490f", label="daemon")
    axes.plot(photos, [sample.decoders for sample in samples], color="#2563a8", label="decoders together")
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
