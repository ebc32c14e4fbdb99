"""Duplicate photos in a data set: the same bytes, or near-duplicate pictures by perceptual hash."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

Hashes = npt.NDArray[np.uint64]

NEAR_BITS = 16
"""Two pictures are near-duplicates if at most this many of the 128 bits of pHash and dHash differ.

Measured on 400 photos: saved again at JPEG quality 30, at half the size, blurred or grey, 99 in 100 differ in at most
5 bits; with a margin of 3 % cut off, in 13 at the median. Among the 12 million pairs of Food-5K's stand-in the first
false near-duplicate differs in 19 bits.
"""
_TILE_ROWS = 512  # tiles of 16 MiB stay in the processor's cache
_TILE_COLUMNS = 4096


class RowPair(NamedTuple):
    """Two rows of a frame that show the same photo.

    Attributes:
        first: Position of a row, counted from 0.
        second: Position of the other row.
        bits: Number of hash bits that differ.
        exact: Whether the bytes are the same.
    """

    first: int
    second: int
    bits: int
    exact: bool


class Duplicates(NamedTuple):
    """The duplicates in a data set.

    Attributes:
        pairs: Each exact copy with the first row of its bytes, then each two files that are near-duplicates;
            `first` < `second`.
        leaks: For each training photo that also is in validation or evaluation: its row as `first`, the row of its
            closest held-out duplicate as `second`.
    """

    pairs: list[RowPair]
    leaks: list[RowPair]


class NearPair(NamedTuple):
    """Two pictures by their index, `first` < `second`, and the number of hash bits that differ."""

    first: int
    second: int
    bits: int


class _HeldOutDuplicate(NamedTuple):
    bits: int
    file: int


def find(facts: pd.DataFrame) -> Duplicates:
    """Finds the duplicates among readable photos.

    Args:
        facts: As from `image_facts.gather`. Rows are counted by position, not by index.
    """
    training = facts["split"].to_numpy() == "training"
    order = np.argsort(training, kind="stable")  # held-out photos first, so that they represent their training copies
    _, first_positions, files = np.unique(facts["sha256"].to_numpy()[order], return_index=True, return_inverse=True)
    row_of_file = order[first_positions]
    file_of_row = np.empty(len(facts), np.int64)
    file_of_row[order] = files
    near = near_pairs(facts["p_hash"].to_numpy()[row_of_file], facts["d_hash"].to_numpy()[row_of_file], NEAR_BITS)

    copies = [(row_of_file[file], row, 0, True) for row, file in enumerate(file_of_row) if row_of_file[file] != row]
    similar = [(row_of_file[pair.first], row_of_file[pair.second], pair.bits, False) for pair in near]
    pairs = [
        RowPair(first=int(min(one, other)), second=int(max(one, other)), bits=bits, exact=exact)
        for one, other, bits, exact in (*copies, *similar)
    ]
    held_out = _closest_held_out(near, ~training[row_of_file])
    leaks = [
        RowPair(
            first=row,
            second=int(row_of_file[duplicate.file]),
            bits=duplicate.bits,
            exact=bool(duplicate.file == file_of_row[row]),
        )
        for row in np.flatnonzero(training).tolist()
        if (duplicate := held_out.get(int(file_of_row[row])))
    ]
    return Duplicates(pairs, leaks)


def _closest_held_out(near: list[NearPair], held_out: npt.NDArray[np.bool_]) -> dict[int, _HeldOutDuplicate]:
    """Returns the closest held-out duplicate of each file that has one; of a held-out file, the file itself."""
    closest = {file: _HeldOutDuplicate(0, file) for file in np.flatnonzero(held_out).tolist()}
    for pair in near:
        for file, other in ((pair.first, pair.second), (pair.second, pair.first)):
            if held_out[other]:
                candidate = _HeldOutDuplicate(pair.bits, other)
                closest[file] = min(closest.get(file, candidate), candidate)
    return closest


def near_pairs(p_hash: Hashes, d_hash: Hashes, limit: int) -> list[NearPair]:
    """Finds all pairs of pictures whose two hashes together differ in at most `limit` bits.

    It compares every pair, in tiles and without a Python loop over photos: 50,000 photos take seconds.

    Args:
        p_hash: (n,).
        d_hash: (n,).
        limit: Number of bits.
    """
    pairs: list[NearPair] = []
    for top in range(0, len(p_hash), _TILE_ROWS):
        rows = slice(top, top + _TILE_ROWS)
        for left in range(top, len(p_hash), _TILE_COLUMNS):
            columns = slice(left, left + _TILE_COLUMNS)
            p_bits = np.bitwise_count(p_hash[rows, None] ^ p_hash[None, columns])
            i, j = np.nonzero(p_bits <= limit)  # few, so the second hash costs nothing
            bits = p_bits[i, j] + np.bitwise_count(d_hash[i + top] ^ d_hash[j + left])
            keep = (i + top < j + left) & (bits <= limit)
            pairs.extend(map(NearPair, (i[keep] + top).tolist(), (j[keep] + left).tolist(), bits[keep].tolist()))
    return pairs
