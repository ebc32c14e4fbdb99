"""Batch sizes an engine is prepared for, and how a batch of any size is run on them."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from models.images import Pixels


def rungs(top: int) -> tuple[int, ...]:
    """Powers of two up to `top` ≥ 1, and `top` itself: few enough to prepare, none more than twice the last."""
    sizes = [1]
    while sizes[-1] * 2 < top:
        sizes.append(sizes[-1] * 2)
    return tuple(sizes) if top == 1 else (*sizes, top)


def steps(n: int, ladder: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """How `n` photos are run: (photos, rung) pairs, where photos < rung is padded. Whole top rungs, then one that fits.

    >>> list(steps(19, (1, 2, 4, 8)))
    [(8, 8), (8, 8), (3, 4)]
    """
    while n >= ladder[-1]:
        yield ladder[-1], ladder[-1]
        n -= ladder[-1]
    if n:
        yield n, next(rung for rung in ladder if rung >= n)


def climb(
    run: Callable[[Pixels], npt.NDArray[np.float32]], pixels: Pixels, ladder: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Runs `run` (uint8 (rung, side, side, 3) → float (rung, …)) over any number of photos; returns float32 (n, …)."""
    parts, at = [], 0
    for photos, rung in steps(len(pixels), ladder):
        chunk = pixels[at : at + photos]
        if photos < rung:
            chunk = np.concatenate([chunk, np.zeros((rung - photos, *chunk.shape[1:]), np.uint8)])
        parts.append(run(chunk)[:photos])
        at += photos
    return np.concatenate(parts).astype(np.float32, copy=False)
