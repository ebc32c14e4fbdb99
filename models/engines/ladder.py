"""Batch sizes an engine is prepared for, and how a batch of any size is run on them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from models.images.decode import Pixels


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
    run: Callable[[Pixels], npt.NDArray[np.float32]],
    pixels: Pixels,
    ladder: tuple[int, ...],
    threads: ThreadPoolExecutor | None = None,
) -> npt.NDArray[np.float32]:
    """Runs `run` (uint8 (rung, side, side, 3) → float (rung, …)) over any number of photos; returns float32 (n, …).

    threads: that run several rungs at a time; one rung, the usual batch, is run by the caller itself.
    """
    chunks, at = [], 0
    for photos, rung in steps(len(pixels), ladder):
        chunks.append((pixels[at : at + photos], rung))
        at += photos

    def answer(chunk: Pixels, rung: int) -> npt.NDArray[np.float32]:
        missing = rung - len(chunk)
        padded = np.concatenate([chunk, np.zeros((missing, *chunk.shape[1:]), np.uint8)]) if missing else chunk
        return run(padded)[: len(chunk)]

    parts = (threads.map if threads and len(chunks) > 1 else map)(answer, *zip(*chunks, strict=True))
    return np.concatenate(list(parts)).astype(np.float32, copy=False)
