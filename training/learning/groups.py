"""Groups of photos that show the same: exact copies, near copies and bursts. A group is never split."""

from collections.abc import Hashable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from training.fitting.features import Features, Labels

NEAR_COSINE = 0.93
"""Two photos are near copies if their positions at the full side, without the evidence, have at least this cosine.

Measured on 200 validation photos: of copies saved again at JPEG quality 30, mirrored, brighter by a fifth or with 3 % of
each side cut off, 95 in 100 have more, and the most similar two photos have 0.88. Of the 18 million pairs of the shipped
bank 46 have more, each of one source and one label.
"""
_TILE = 2048


class _Forest:
    """Disjoint sets of rows (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = list(range(count))

    def root(self, row: int) -> int:
        while (parent := self._parents[row]) != row:
            self._parents[row] = self._parents[parent]
            row = self._parents[row]
        return row

    def join(self, first: int, second: int) -> None:
        self._parents[self.root(second)] = self.root(first)


def group(positions: Features, sha256s: Sequence[str], cameras: Sequence[str], times: Sequence[str]) -> Labels:
    """Groups photos.

    Args:
        positions: The photos at the full side, (n, k); the last column is the evidence.
        sha256s: (n,).
        cameras: (n,), "" if unknown.
        times: (n,), when they were taken, `YYYY-MM-DDTHH:MM:SS`, or "".

    Returns:
        The number of each photo's group, (n,).
    """
    forest = _Forest(len(sha256s))
    bursts = [(camera, time[:16]) if time else None for camera, time in zip(cameras, times, strict=True)]
    for keys in (sha256s, bursts):
        for first, second in _equal(keys):
            forest.join(first, second)
    for first, second in near_pairs(positions, positions):
        forest.join(first, second)
    return np.array([forest.root(row) for row in range(len(sha256s))], np.int64)


def near_pairs(first: Features, second: Features) -> Iterator[tuple[int, int]]:
    """Yields the rows of near copies, one of `first` (n, k) and one of `second` (m, k); a row is near itself."""
    directions, others = _directions(first), _directions(second)
    for top in range(0, len(directions), _TILE):
        for left in range(0, len(others), _TILE):
            near = directions[top : top + _TILE] @ others[left : left + _TILE].T >= NEAR_COSINE
            rows, columns = np.nonzero(near)
            yield from zip((rows + top).tolist(), (columns + left).tolist(), strict=True)


def _equal(keys: Iterable[Hashable]) -> Iterator[tuple[int, int]]:
    """Yields each row of a key with the key's first row; None is no key."""
    firsts: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        if key is not None:
            yield firsts.setdefault(key, row), row


def _directions(positions: Features) -> npt.NDArray[np.float32]:
    vectors = np.asarray(positions[:, :-1], np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)
