"""`python -m benchmarks.gpu PHOTOS`: TensorFlow's engine on this machine's GPU, in at most four minutes."""

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.engines import read
from benchmarks.in_process import started_service
from benchmarks.machine import machine
from daemon.settings import Settings
from models.bundle import Bundle
from models.cascade import look, reduce
from models.engines.gpu import gpu_present
from models.engines.tensorflow import TensorFlowEngine, first_gpu
from models.errors import FoodsortError
from models.images.decode import Pixels

SECONDS = 4.0
"""Time for each row."""
BATCHES = (1, 8, 32, 128, 256)
TOO_LARGE = 16_384
"""A batch that no GPU has the memory for: the engine has to back off."""
FOLDER_PHOTOS = 400
_DEADLINE_S = 210.0

Row = tuple[str, str]


def main() -> None:
    """Prints one table: what was measured, and the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("photos", type=Path, help="folder of JPEGs")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="time for each row (default: %(default)s)")
    arguments = parser.parse_args()
    bundle = Bundle.load()
    try:
        pixels = read(arguments.photos, bundle.card.fit)
    except FoodsortError as error:
        parser.exit(1, f"benchmarks: {error}\n")
    output = Console(highlight=False, soft_wrap=True)
    deadline = time.monotonic() + _DEADLINE_S
    table = Table("measured", "result")
    for name, result in rows(bundle, pixels, arguments.photos, arguments.seconds):
        output.print(f"{name}: {result}", style="dim")
        table.add_row(name, result)
        if time.monotonic() > deadline:
            table.add_row("the rest", "left out: the time is up")
            break
    output.print(machine().describe(), table, sep="\n")


def rows(bundle: Bundle, pixels: Pixels, photos: Path, seconds: float) -> Iterator[Row]:
    """Measures and yields one row after the other.

    Args:
        bundle: The model.
        pixels: Decoded photos, uint8 (n, side, side, 3).
        photos: The folder they come from.
        seconds: Time for each row.
    """
    gpu = first_gpu() if gpu_present() else None
    yield "device", gpu or "none found: TensorFlow's CPU device instead"
    largest = BATCHES[-1]
    begun = time.perf_counter()
    engine = TensorFlowEngine(bundle, largest, gpu=gpu)
    yield "loaded and warmed", f"{time.perf_counter() - begun:.1f} s, batches of {', '.join(map(str, engine.ladder))}"
    for side in bundle.sides:
        small = pixels if side == pixels.shape[1] else reduce(pixels, side)
        for size in (batch for batch in BATCHES if batch <= engine.largest):
            rate = _rate(engine.logits, _repeat(small, size), seconds)
            yield f"{side} px, batches of {size}", f"{rate:.0f} photos/s"
    batch = _repeat(pixels, engine.largest)
    if bundle.card.cascade:
        looks = look(engine.logits, pixels, bundle.card.cascade)
        again = float((looks.sides == pixels.shape[1]).mean())
        rate = _rate(partial(look, engine.logits, cascade=bundle.card.cascade), batch, seconds)
        yield "two looks", f"{rate:.0f} photos/s, {again:.0%} looked at twice"
    float32 = TensorFlowEngine(bundle, engine.largest, "float32", gpu)
    difference = float(np.abs(float32.logits(batch) - engine.logits(batch)).max())
    rate = _rate(float32.logits, batch, seconds)
    yield "float32", f"{rate:.0f} photos/s; logits differ by at most {difference:.3f} from the default precision"
    del float32
    if gpu:
        got = TensorFlowEngine(bundle, TOO_LARGE, gpu=gpu).largest
        yield "out of memory", f"asked for batches of {TOO_LARGE:,}, got {got:,}"
    yield "a folder of JPEGs, end to end", f"{_folder(photos):.0f} photos/s"


def _rate(run: Callable[[Pixels], object], batch: Pixels, seconds: float) -> float:
    """Photos per second of one stream."""
    run(batch)
    begun, runs = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        run(batch)
        runs += 1
    return runs * len(batch) / (time.perf_counter() - begun)


def _repeat(pixels: Pixels, size: int) -> Pixels:
    return np.resize(pixels, (size, *pixels.shape[1:]))


def _folder(photos: Path) -> float:
    """Sorts copies of the photos with a daemon in this process; returns photos per second."""
    sources = [path.read_bytes() for path in sorted(photos.glob("*.*"))]
    settings = Settings.model_validate({"model": {"engine": "tensorflow"}, "watch": {"settle_s": 0.01}})
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "inbox").mkdir()
        for number in range(FOLDER_PHOTOS):
            (root / f"inbox/{number:04}.jpg").write_bytes(sources[number % len(sources)] + b"%08d" % number)
        with started_service(root, settings, once=True) as service:
            begun = time.perf_counter()
            service.run()
            return FOLDER_PHOTOS / (time.perf_counter() - begun)


if __name__ == "__main__":
    main()
