"""`python -m benchmarks.stage_costs PHOTOS`: CPU time a photo of foodsort's decoding and of its network, each alone."""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.bundle import Bundle
from models.cascade import look
from models.engines import open_engine
from models.engines.ladder import rungs
from models.images.decode import Fit, Pixels, decode

MAX_BATCH = 32
REPEATS = 5
PHOTOS = 64
"""Photos on which each batch size is measured."""


class StageCosts(NamedTuple):
    """The CPU time of all threads together.

    Attributes:
        decode: Core-seconds a photo.
        inference: Core-seconds a photo, at the best batch size.
        batch: The batch size with the lowest cost.
    """

    decode: float
    inference: float
    batch: int


def main(folder: Path) -> None:
    """Prints the costs as JSON."""
    bundle = Bundle.load()
    decode_s, pixels = measure_decode(sorted(folder.iterdir()), bundle.card.fit)
    engine = open_engine("auto", bundle, MAX_BATCH)
    run = partial(look, engine.logits, cascade=bundle.card.cascade)
    costs = {size: measure_inference(run, pixels, size) for size in rungs(min(MAX_BATCH, engine.largest))}
    best = min(costs, key=costs.__getitem__)
    json.dump(StageCosts(decode=decode_s, inference=costs[best], batch=best)._asdict(), sys.stdout)


def measure_decode(paths: list[Path], fit: Fit) -> tuple[float, Pixels]:
    """Measures decoding in this thread, without reading the file.

    Returns:
        Core-seconds a photo, and the pixels of `PHOTOS` photos.
    """
    used_s = 0.0
    pixels: list[Pixels] = []
    for path in paths:
        source = path.read_bytes()
        begin = time.process_time()
        picture = decode(source, fit)
        used_s += time.process_time() - begin
        if len(pixels) < PHOTOS:
            pixels.append(picture.pixels)
    return used_s / len(paths), np.stack([pixels[index % len(pixels)] for index in range(PHOTOS)])


def measure_inference(run: Callable[[Pixels], object], pixels: Pixels, size: int) -> float:
    """Measures inference, with one look or two, in batches of `size`.

    Returns:
        Core-seconds a photo: the minimum of several repeats, because interference only adds cost.
    """
    repeats = []
    for _ in range(REPEATS):
        begin = time.process_time()
        for start in range(0, len(pixels), size):
            run(pixels[start : start + size])
        repeats.append((time.process_time() - begin) / len(pixels))
    return min(repeats)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
