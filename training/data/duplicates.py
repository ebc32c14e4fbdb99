"""Photos that are in a data set twice: the same bytes, or pictures that look alike."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Hashes = npt.NDArray[np.uint64]

NEAR_BITS = 16
"""Most bits of 128 (pHash and dHash) in which two pictures that count as one differ.

Measured on 400 photos: stored again at JPEG quality 30, at half the size, blurred or grey, 99 in 100 differ in at most 5;
with a margin of 3 % cut off in 13 at the median. Of the 12 million pairs of Food-5K's stand-in the first false one differs in 19.
"""
_ROWS, _COLUMNS = 512, 4096  # a tile of 16 MiB, which stays in the processor's cache better than whole rows do


class Pair(NamedTuple):
    """Two rows of a frame that are one photo: `first` < `second`; `bits` differ; `exact` when the bytes are the same."""

    first: int
    second: int
    bits: int
    exact: bool


class Duplicates(NamedTuple):
    """What is in a data set twice.

    pairs: each further copy beside the first of its bytes, then each two different files that look alike.
    leaks: a pair (training row, its closest twin) for every training photo that is in validation or evaluation too;
    here `first` is the training row, wherever its twin lies.
    """

    pairs: list[Pair]
    leaks: list[Pair]


def find(facts: pd.DataFrame) -> Duplicates:
    """The duplicates among readable photos, as from `facts.gather`; rows are counted from 0, whatever the index says."""
    training = facts["split"].to_numpy() == "training"
    order = np.argsort(training, kind="stable")  # so that a held-out photo stands for its copies in training
    _, firsts, files = np.unique(facts["sha256"].to_numpy()[order], return_index=True, return_inverse=True)
    chosen = order[firsts]  # one row for each different file
    file_of = np.empty(len(facts), np.int64)
    file_of[order] = files
    near = near_pairs(facts["p_hash"].to_numpy()[chosen], facts["d_hash"].to_numpy()[chosen], NEAR_BITS)

    copies = [(chosen[file], row, 0, True) for row, file in enumerate(file_of)]
    alike = [(chosen[one], chosen[other], bits, False) for one, other, bits in near]
    pairs = [
        Pair(int(min(one, other)), int(max(one, other)), bits, exact)
        for one, other, bits, exact in (*copies, *alike)
        if one != other
    ]
    twins = _held_out_twins(near, ~training[chosen])
    leaks = [
        Pair(row, int(chosen[twin.file]), twin.bits, exact=bool(twin.file == file_of[row]))
        for row in np.flatnonzero(training).tolist()
        if (twin := twins.get(int(file_of[row])))
    ]
    return Duplicates(pairs, leaks)


class _Twin(NamedTuple):
    bits: int
    file: int


def _held_out_twins(near: list[tuple[int, int, int]], held_out: npt.NDArray[np.bool_]) -> dict[int, _Twin]:
    """The closest held-out twin of each file that has one; a held-out file is its own."""
    closest = {file: _Twin(0, file) for file in np.flatnonzero(held_out).tolist()}
    for one, other, bits in near:
        for file, twin in ((one, other), (other, one)):
            if held_out[twin]:
                candidate = _Twin(bits, twin)
                closest[file] = min(closest.get(file, candidate), candidate)
    return closest


def near_pairs(p_hash: Hashes, d_hash: Hashes, limit: int) -> list[tuple[int, int, int]]:
    """(i, j, bits apart), i < j, of all pairs of pictures whose two hashes (n,) together differ in at most `limit` bits.

    Compares every pair, in tiles and without a Python loop over photos: 50,000 photos take seconds.
    """
    found: list[tuple[int, int, int]] = []
    for top in range(0, len(p_hash), _ROWS):
        rows = slice(top, top + _ROWS)
        for start in range(top, len(p_hash), _COLUMNS):
            columns = slice(start, start + _COLUMNS)
            apart = np.bitwise_count(p_hash[rows, None] ^ p_hash[None, columns])
            i, j = np.nonzero(apart <= limit)  # few, so that the second hash costs nothing
            bits = apart[i, j] + np.bitwise_count(d_hash[i + top] ^ d_hash[j + start])
            keep = (i + top < j + start) & (bits <= limit)
            found.extend(zip((i[keep] + top).tolist(), (j[keep] + start).tolist(), bits[keep].tolist(), strict=True))
    return found
