"""Batch sizes an engine is compiled for, and how a batch of any size is run on them."""

from collections.abc import Iterator


def rungs(top: int) -> tuple[int, ...]:
    """Powers of two up to `top` ≥ 1, and `top` itself: few enough to compile, none more than twice the last."""
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
