"""`foodsort bench`: how fast an engine runs batches of each size on this machine, and which size is worth setting."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from daemon.decoders.pool import DecoderPool
from daemon.settings import ImageSettings
from models.engines import Engine
from models.engines.ladder import rungs
from models.errors import FoodsortError, ImageError
from models.images.decode import Fit, Pixels

ENOUGH = 0.95
"""Share of the fastest size's rate with which a smaller size is as good."""
_ROUNDS = 3
_PHOTOS = 64  # that each round runs in each size, or one batch a stream where that is more


class Size(NamedTuple):
    """Photos a second with batches of `batch` photos, and ms from the start of such a batch to its end."""

    batch: int
    photos_s: float
    batch_ms: float


def recommended(sizes: list[Size]) -> int:
    """The smallest size that is nearly as fast as the fastest: photos wait for each other no longer than pays."""
    best = max(size.photos_s for size in sizes)
    return min(size.batch for size in sizes if size.photos_s >= ENOUGH * best)


def measure(engine: Engine, pixels: Pixels, max_batch: int) -> list[Size]:
    """Medians over some rounds for each size up to `max_batch` that the engine runs in one go; a batch a stream at a time.

    pixels: uint8 RGB (n, side, side, 3), n ≥ 1, taken again and again. Raises EngineError.
    """
    found: dict[int, list[Size]] = {size: [] for size in rungs(min(max_batch, engine.largest))}
    with ThreadPoolExecutor(engine.streams) as threads:
        for _ in range(_ROUNDS):
            for size, rounds in found.items():
                batch = np.resize(pixels, (size, *pixels.shape[1:]))
                rounds.append(_round(partial(engine.logits, batch), size, engine.streams, threads))
    return [
        Size(
            size,
            statistics.median(one.photos_s for one in rounds),
            statistics.median(one.batch_ms for one in rounds),
        )
        for size, rounds in found.items()
    ]


def _round(run: Callable[[], object], size: int, streams: int, threads: ThreadPoolExecutor) -> Size:
    def timed(_: int) -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    batches = max(_PHOTOS // size, streams)
    begun = time.perf_counter()
    seconds = list(threads.map(timed, range(batches)))
    return Size(size, batches * size / (time.perf_counter() - begun), 1000 * statistics.median(seconds))


def pictures(photos: Path | None, fit: Fit) -> Pixels:
    """uint8 RGB (n, side, side, 3): the photos of a folder, at most as many as a round runs, or noise when none is named.

    Raises FoodsortError when none of its files can be decoded.
    """
    if photos is None:
        return np.random.default_rng(0).integers(0, 256, (8, fit.side, fit.side, 3), np.uint8)
    if not photos.is_dir():
        raise FoodsortError(f"{photos} is no folder; name one that holds photos")
    limits, decoded = ImageSettings(), []
    with DecoderPool(fit, limits.max_pixels, limits.timeout_s) as decoders:
        for path in sorted(path for path in photos.iterdir() if path.is_file()):
            try:
                with path.open("rb") as file:
                    decoded.append(decoders.decode(file.fileno()).pixels)
            except ImageError:
                continue
            if len(decoded) == _PHOTOS:
                break
    if not decoded:
        raise FoodsortError(f"{photos} holds no photos that can be decoded; name a folder that does")
    return np.stack(decoded)
