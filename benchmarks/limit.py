"""`python -m benchmarks.limit PHOTOS`: core-seconds a photo of foodsort's decode and of its network, each measured alone."""

import json
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from models.bundle import Bundle
from models.engines import open_engine
from models.engines.base import Engine
from models.images.decode import Fit, Pixels, decode

MAX_BATCH = 32
PASSES = 5
PHOTOS = 64
"""Photos that each batch size is tried on."""


class Cost(NamedTuple):
    """Core-seconds a photo, of all threads together, and the batch size that costs the network least."""

    decode: float
    inference: float
    batch: int


def main(folder: Path) -> None:
    """Prints the cost as JSON."""
    bundle = Bundle.load()
    decode_s, pixels = measure_decode(sorted(folder.iterdir()), bundle.card.fit)
    engine = open_engine("auto", bundle, MAX_BATCH)
    sizes = [2**power for power in range(MAX_BATCH.bit_length()) if 2**power <= engine.largest]
    costs = {size: measure_inference(engine, pixels, size) for size in sizes}
    best = min(costs, key=costs.__getitem__)
    json.dump(Cost(decode_s, costs[best], best)._asdict(), sys.stdout)


def measure_decode(paths: list[Path], fit: Fit) -> tuple[float, Pixels]:
    """Core-seconds a photo in this one thread, reading the file not counted; and pixels of the first photos."""
    used = 0.0
    pixels: list[Pixels] = []
    for path in paths:
        source = path.read_bytes()
        begun = time.process_time()
        picture = decode(source, fit)
        used += time.process_time() - begun
        if len(pixels) < PHOTOS:
            pixels.append(picture.pixels)
    return used / len(paths), np.stack([pixels[one % len(pixels)] for one in range(PHOTOS)])


def measure_inference(engine: Engine, pixels: Pixels, size: int) -> float:
    """Core-seconds a photo in batches of `size`: the least of several passes, for what others disturb only costs more."""
    passes = []
    for _ in range(PASSES):
        begun = time.process_time()
        for at in range(0, len(pixels), size):
            engine.logits(pixels[at : at + size])
        passes.append((time.process_time() - begun) / len(pixels))
    return min(passes)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
