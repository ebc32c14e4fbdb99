"""The batch sizes that an engine is prepared for, and how a batch of any size is split into them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from models.images.decode import Pixels


def rungs(top: int) -> tuple[int, ...]:
    """Returns the powers of two up to `top` ≥ 1, and `top` itself: few sizes, each at most twice the one before."""
    sizes = [1]
    while sizes[-1] * 2 < top:
        sizes.append(sizes[-1] * 2)
    return tuple(sizes) if top == 1 else (*sizes, top)


def steps(n: int, ladder: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Splits `n` photos into chunks: full top rungs first, then one chunk that is padded to the next rung.

    Yields:
        (photos, rung); the chunk is padded where photos < rung.

    >>> list(steps(19, (1, 2, 4, 8)))
    [(8, 8), (8, 8), (3, 4)]
    """
    while n >= ladder[-1]:
        yield ladder[-1], ladder[-1]
        n -= ladder[-1]
    if n:
        yield n, next(rung for rung in ladder if rung >= n)


def run_in_rungs(
    run: Callable[[Pixels], npt.NDArray[np.float32]],
    pixels: Pixels,
    ladder: tuple[int, ...],
    threads: ThreadPoolExecutor | None = None,
) -> npt.NDArray[np.float32]:
    """Runs a network over any number of photos in batches of the ladder's sizes.

    Args:
        run: uint8 (rung, side, side, 3) → float (rung, …).
        pixels: uint8 (n, side, side, 3), n ≥ 1.
        ladder: The batch sizes, ascending.
        threads: Run several chunks at a time. A single chunk, the usual case, runs in the caller's thread.

    Returns:
        float32 (n, …).
    """
    chunks: list[tuple[Pixels, int]] = []
    start = 0
    for photos, rung in steps(len(pixels), ladder):
        chunks.append((pixels[start : start + photos], rung))
        start += photos

    def run_padded(chunk: Pixels, rung: int) -> npt.NDArray[np.float32]:
        missing = rung - len(chunk)
        padded = np.concatenate([chunk, np.zeros((missing, *chunk.shape[1:]), np.uint8)]) if missing else chunk
        return run(padded)[: len(chunk)]

    parts = (threads.map if threads and len(chunks) > 1 else map)(run_padded, *zip(*chunks, strict=True))
    return np.concatenate(list(parts)).astype(np.float32, copy=False)
