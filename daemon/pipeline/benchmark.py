"""`foodsort bench`: measures how fast an engine runs batches of each size, and recommends one."""

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
from models.cascade import Cascade, look
from models.engines.base import Engine
from models.engines.ladder import rungs
from models.errors import FoodsortError, ImageError
from models.images.decode import Fit, Pixels

ENOUGH = 0.95
"""Share of the highest rate that makes a smaller size as good as the fastest one."""
_ROUNDS = 3
_PHOTOS = 64  # in a round for each size, or one batch for each stream if that is more


class Measurement(NamedTuple):
    """Speed of one batch size.

    Attributes:
        batch: Photos in a batch.
        photos_s: Rate (photos/s).
        batch_ms: Duration of a batch (ms).
    """

    batch: int
    photos_s: float
    batch_ms: float


def recommend(measurements: list[Measurement]) -> int:
    """Recommends the smallest size that is nearly as fast as the fastest, so that photos wait less for each other."""
    best = max(measurement.photos_s for measurement in measurements)
    return min(measurement.batch for measurement in measurements if measurement.photos_s >= ENOUGH * best)


def measure(engine: Engine, cascade: Cascade | None, pixels: Pixels, max_batch: int) -> list[Measurement]:
    """Measures each batch size, with one batch for each stream at a time.

    Args:
        engine: Engine of the model.
        cascade: The model's small look; None for one look at the full side.
        pixels: uint8 RGB (n, side, side, 3), n ≥ 1, which are repeated.
        max_batch: Largest size; the engine's largest is the limit.

    Returns:
        The medians of some rounds, by size.

    Raises:
        EngineError: The engine failed.
    """
    sizes: dict[int, list[Measurement]] = {size: [] for size in rungs(min(max_batch, engine.largest))}
    with ThreadPoolExecutor(engine.streams) as threads:
        for _ in range(_ROUNDS):
            for size, rounds in sizes.items():
                batch = np.resize(pixels, (size, *pixels.shape[1:]))
                rounds.append(
                    _measure_round(partial(look, engine.logits, batch, cascade), size, engine.streams, threads)
                )
    return [
        Measurement(
            batch=size,
            photos_s=statistics.median(measurement.photos_s for measurement in rounds),
            batch_ms=statistics.median(measurement.batch_ms for measurement in rounds),
        )
        for size, rounds in sizes.items()
    ]


def _measure_round(run: Callable[[], object], size: int, streams: int, threads: ThreadPoolExecutor) -> Measurement:
    def timed(_: int) -> float:
        begun = time.perf_counter()
        run()
        return time.perf_counter() - begun

    batches = max(_PHOTOS // size, streams)
    begun = time.perf_counter()
    seconds = list(threads.map(timed, range(batches)))
    photos_s = batches * size / (time.perf_counter() - begun)
    return Measurement(size, photos_s, 1000 * statistics.median(seconds))


def load_pixels(photos: Path | None, fit: Fit) -> Pixels:
    """Decodes the photos of a folder, at most as many as a round runs.

    Args:
        photos: The folder; None for noise.
        fit: Size of the model's input.

    Returns:
        uint8 RGB (n, side, side, 3), n ≥ 1.

    Raises:
        FoodsortError: None of the files can be decoded.
    """
    if photos is None:
        return np.random.default_rng(0).integers(0, 256, (8, fit.side, fit.side, 3), np.uint8)
    if not photos.is_dir():
        raise FoodsortError(f"{photos} is no folder; name one that holds photos")
    limits = ImageSettings()
    decoded: list[Pixels] = []
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
