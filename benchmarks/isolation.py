"""`python -m benchmarks.isolation PHOTOS`: what decoding in processes of their own costs, against threads of the daemon."""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.engines import processor
from daemon.decoders.pool import DecoderPool
from daemon.inbox.claims import Claimed
from daemon.monitoring.log import configure
from daemon.monitoring.progress import Progress
from daemon.pipeline import decode
from daemon.service import runtime
from daemon.service.lifecycle import Service
from daemon.settings import ImageSettings, Settings
from models.errors import FoodsortError
from models.images import decode as images
from models.images.decode import Fit, Picture

_LIMITS = ImageSettings()


class Threads(DecoderPool):
    """What decoding was before: no process, no limit, in the thread that asks."""

    def __init__(self, fit: Fit, max_pixels: int, timeout_s: float) -> None:
        self._fit, self._max_pixels = fit, max_pixels
        self.size = max(2, len(os.sched_getaffinity(0)))

    def decode(self, fd: int) -> Picture:
        """Decodes the photo open as `fd`. Raises ImageError, OSError."""
        with os.fdopen(os.dup(fd), "rb") as file:
            file.seek(0)
            return images.decode(file.read(), self._fit, self._max_pixels)

    def stop(self) -> None:
        """There is nothing to stop."""

    def close(self) -> None:
        """There is nothing to close."""


class Processes(DecoderPool):
    """What decoding is, all workers up before the clock starts, as they are when a network has been loaded meanwhile."""

    def __init__(self, fit: Fit, max_pixels: int, timeout_s: float) -> None:
        super().__init__(fit, max_pixels, timeout_s)
        for _ in range(self.size):  # they take turns
            self.network()


def main() -> None:
    """Prints the table; exits 1 with a message when there is no photo."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument("--count", type=int, default=1000, help="how many copies, each made distinct, are sorted")
    parser.add_argument("--rounds", type=int, default=5, help="how often each way is taken")
    given = parser.parse_args()
    configure(terminal=False)
    table = Table("way", "threads, photos/s", "processes, photos/s", "ratio of medians", "ratios")
    try:
        with tempfile.TemporaryDirectory() as folder:
            copies = copied(given.photos, Path(folder, "photos"), given.count)
            for name, way in {"decode": decoded, "daemon": sorted_by_daemon}.items():
                table.add_row(name, *compared(partial(way, copies), len(copies), given.rounds))
    except FoodsortError as error:
        parser.exit(1, f"benchmarks: {error}\n")
    said = (
        f"{given.count} copies of {given.photos}, {given.rounds} rounds of both in turn, load {os.getloadavg()[0]:.1f}"
    )
    Console(highlight=False).print(said, processor(), table, sep="\n")


def copied(photos: Path, folder: Path, count: int) -> list[Path]:
    """Copies of the photos of a folder, over and over, each with its number at its end. Raises FoodsortError."""
    found = sorted(path for path in photos.iterdir() if path.is_file())
    if not found:
        raise FoodsortError(f"{photos} holds no photos; name a folder that does")
    folder.mkdir()
    copies = [folder / f"{number:06}{found[number % len(found)].suffix}" for number in range(count)]
    for number, copy in enumerate(copies):
        copy.write_bytes(found[number % len(found)].read_bytes() + b"%06d" % number)
    os.sync()  # so that no round waits for the disk more than another
    return copies


def compared(seconds: Callable[[type[DecoderPool]], float], count: int, rounds: int) -> list[str]:
    """Photos a second with threads and with processes (medians), and their ratio, of the medians and of each round."""
    took: dict[type[DecoderPool], list[float]] = {Threads: [], Processes: []}
    for number in range(rounds + 1):
        for kind in list(took)[:: 1 if number % 2 else -1]:  # neither always goes first
            took[kind].append(seconds(kind))
    without, isolated = (np.array(times[1:]) for times in took.values())  # the first warms
    ratios = " ".join(f"{ratio:.3f}" for ratio in without / isolated)
    medians = statistics.median(without), statistics.median(isolated)
    return [f"{count / medians[0]:.1f}", f"{count / medians[1]:.1f}", f"{medians[0] / medians[1]:.3f}", ratios]


def decoded(copies: list[Path], kind: type[DecoderPool]) -> float:
    """Seconds to hash and decode all, as the daemon's threads do."""
    with kind(Fit(), _LIMITS.max_pixels, _LIMITS.timeout_s) as decoders, ThreadPoolExecutor(decoders.size) as threads:
        list(threads.map(lambda path: _read(path, decoders), copies[: 4 * decoders.size]))  # everything has started
        start = time.perf_counter()
        list(threads.map(lambda path: _read(path, decoders), copies))
        return time.perf_counter() - start


def sorted_by_daemon(copies: list[Path], kind: type[DecoderPool]) -> float:
    """Seconds for `foodsort run --once` with the scripted engine over all, from the first look to the end."""
    with tempfile.TemporaryDirectory(dir=copies[0].parents[1]) as folder:
        shutil.copytree(copies[0].parent, Path(folder, "inbox"))
        os.sync()
        settings = Settings.model_validate({"model": {"engine": "scripted"}, "watch": {"settle_s": 0.1}})
        setattr(runtime, "DecoderPool", kind)  # noqa: B010  # mypy knows that it is a class
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stderr(nowhere),
            Progress(Console(quiet=True)) as progress,
        ):
            daemon = Service(Path(folder), settings, progress, once=True, dry_run=False)
            daemon.start()
            start = time.perf_counter()
            daemon.run()
            took = time.perf_counter() - start
        if daemon.counts.total() != len(copies):
            raise FoodsortError(f"{daemon.counts} of {len(copies)} photos were sorted")
        return took


def _read(path: Path, decoders: DecoderPool) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        claimed = Claimed(os.fsencode(path), b"", fd, os.fstat(fd), 0.0)
        assert decode.read(claimed, decoders).picture
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
