"""`python -m benchmarks.isolation PHOTOS`: cost of decoding in sandboxed processes, compared with threads."""

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.engines import processor
from benchmarks.in_process import replaced, started_service
from daemon.decoders.pool import DecoderPool
from daemon.inbox.claimed_photo import Claimed
from daemon.monitoring.log import configure
from daemon.pipeline import decode
from daemon.retry import Retrier
from daemon.service import runtime
from daemon.settings import ImageSettings, Settings
from models.errors import FoodsortError
from models.images import decode as images
from models.images.decode import Fit, Picture, Within

_LIMITS = ImageSettings()


class ThreadDecoders(DecoderPool):
    """Decodes in the calling thread: no process, no limits."""

    def __init__(
        self, fit: Fit | Within, max_pixels: int, timeout_s: float, size: int = 0, retrier: Retrier | None = None
    ) -> None:
        self._fit = fit
        self._max_pixels = max_pixels
        self.size = max(2, len(os.sched_getaffinity(0)))
        self.deaths = 0

    def decode(self, fd: int) -> Picture:
        """Decodes the photo open as `fd`. Raises ImageError, OSError."""
        with os.fdopen(os.dup(fd), "rb") as file:
            file.seek(0)
            return images.decode(file.read(), self._fit, self._max_pixels)

    def stop(self) -> None:
        """Does nothing: there are no processes."""

    def close(self) -> None:
        """Does nothing: there are no processes."""


class ProcessDecoders(DecoderPool):
    """The daemon's decoders, all started before the measurement, as they are while the network loads."""

    def __init__(
        self, fit: Fit | Within, max_pixels: int, timeout_s: float, size: int = 0, retrier: Retrier | None = None
    ) -> None:
        super().__init__(fit, max_pixels, timeout_s, size=size, retrier=retrier)
        for _ in range(self.size):  # each call goes to the next process
            self.isolation()


def main() -> None:
    """Prints the table; exits with 1 and a message if there is no photo."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of photos")
    parser.add_argument(
        "--count", type=int, default=1000, help="number of distinct copies to sort (default: %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs of each variant (default: %(default)s)")
    arguments = parser.parse_args()
    configure(terminal=False)
    table = Table("measured", "threads, photos/s", "processes, photos/s", "ratio of medians", "ratios")
    try:
        with tempfile.TemporaryDirectory() as folder:
            copies = copy_photos(arguments.photos, Path(folder, "photos"), arguments.count)
            for name, measure in {"decode": decode_all, "daemon": sort_all}.items():
                table.add_row(name, *compare(partial(measure, copies), len(copies), arguments.rounds))
    except FoodsortError as error:
        parser.exit(1, f"benchmarks: {error}\n")
    title = (
        f"{arguments.count} copies of {arguments.photos}, {arguments.rounds} rounds of both variants, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    Console(highlight=False).print(title, processor(), table, sep="\n")


def copy_photos(photos: Path, folder: Path, count: int) -> list[Path]:
    """Makes `count` copies of the photos of a folder, each with its number at its end. Raises FoodsortError."""
    originals = sorted(path for path in photos.iterdir() if path.is_file())
    if not originals:
        raise FoodsortError(f"{photos} holds no photos; name a folder that does")
    folder.mkdir()
    copies = [folder / f"{number:06}{originals[number % len(originals)].suffix}" for number in range(count)]
    for number, copy in enumerate(copies):
        copy.write_bytes(originals[number % len(originals)].read_bytes() + b"%06d" % number)
    os.sync()  # so that no round waits longer for the disk than another
    return copies


def compare(measure: Callable[[type[DecoderPool]], float], count: int, rounds: int) -> list[str]:
    """Measures both variants.

    Args:
        measure: Returns the seconds that a variant takes for all photos.
        count: Number of photos.
        rounds: Number of rounds after a warm-up.

    Returns:
        Median photos a second with threads and with processes, their ratio, and the ratio of each round.
    """
    seconds: dict[type[DecoderPool], list[float]] = {ThreadDecoders: [], ProcessDecoders: []}
    for number in range(rounds + 1):
        for variant in list(seconds)[:: 1 if number % 2 else -1]:  # the order alternates
            seconds[variant].append(measure(variant))
    threads, processes = (np.array(times[1:]) for times in seconds.values())  # without the warm-up
    threads_s = statistics.median(threads)
    processes_s = statistics.median(processes)
    ratios = " ".join(f"{ratio:.3f}" for ratio in threads / processes)
    return [f"{count / threads_s:.1f}", f"{count / processes_s:.1f}", f"{threads_s / processes_s:.3f}", ratios]


def decode_all(copies: list[Path], variant: type[DecoderPool]) -> float:
    """Returns the seconds to hash and decode all photos, as the daemon's threads do."""
    with (
        variant(Fit(), _LIMITS.max_pixels, _LIMITS.timeout_s) as decoders,
        ThreadPoolExecutor(decoders.size) as threads,
    ):
        read = partial(_read, decoders=decoders)
        list(threads.map(read, copies[: 4 * decoders.size]))  # warm-up
        start = time.perf_counter()
        list(threads.map(read, copies))
        return time.perf_counter() - start


def sort_all(copies: list[Path], variant: type[DecoderPool]) -> float:
    """Returns the seconds of `foodsort run --once` with the scripted engine on all photos."""
    with tempfile.TemporaryDirectory(dir=copies[0].parents[1]) as folder:
        shutil.copytree(copies[0].parent, Path(folder, "inbox"))
        os.sync()
        settings = Settings.model_validate({"model": {"engine": "scripted"}, "watch": {"settle_s": 0.1}})
        with (
            replaced(runtime, "DecoderPool", variant),
            started_service(Path(folder), settings, once=True) as service,
        ):
            start = time.perf_counter()
            service.run()
            seconds = time.perf_counter() - start
        if service.counts.total() != len(copies):
            raise FoodsortError(f"{service.counts} of {len(copies)} photos were sorted")
        return seconds


def _read(path: Path, decoders: DecoderPool) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        claimed = Claimed(path=os.fsencode(path), run_id=b"", fd=fd, stat=os.fstat(fd), stable_since=0.0)
        assert decode.read(claimed, decoders).picture
    finally:
        os.close(fd)


if __name__ == "__main__":
    main()
