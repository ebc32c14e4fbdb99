import numpy as np
import pandas as pd
import pytest

from training.data import duplicates
from training.data.duplicates import NEAR_BITS, RowPair, find, near_pairs


def framed(*photos: tuple[str, str, int, int]) -> pd.DataFrame:
    """(split, sha256, pHash, dHash) of each photo."""
    frame = pd.DataFrame(photos, columns=["split", "sha256", "p_hash", "d_hash"])
    return frame.astype({"p_hash": np.uint64, "d_hash": np.uint64})


FAR = 2**40 - 1
"""Differs from 0 in 40 bits."""


def test_pairs_equal_those_of_a_comparison_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "_TILE_ROWS", 7)  # tiles that end in the middle
    monkeypatch.setattr(duplicates, "_TILE_COLUMNS", 16)
    random = np.random.default_rng(1)
    p_hash = random.integers(0, 2**64, 60, np.uint64) & np.uint64(0xFF)
    d_hash = random.integers(0, 2**64, 60, np.uint64) & np.uint64(0xFF00000000000000)
    expected = {
        (i, j): bits
        for i in range(60)
        for j in range(i + 1, 60)
        if (bits := int(p_hash[i] ^ p_hash[j]).bit_count() + int(d_hash[i] ^ d_hash[j]).bit_count()) <= 4
    }
    result = near_pairs(p_hash, d_hash, 4)
    assert {(i, j): bits for i, j, bits in result} == expected
    assert len(result) == len(expected) > 10


def test_without_photos_there_are_no_pairs() -> None:
    assert near_pairs(np.empty(0, np.uint64), np.empty(0, np.uint64), 4) == []


def test_both_hashes_count() -> None:
    half = 2 ** (NEAR_BITS // 2) - 1
    hashes = [(0, 0), (half, half << 50), (half, half << 50 | 1 << 20)]
    frame = framed(*(("training", str(number), *pair) for number, pair in enumerate(hashes)))
    assert find(frame).pairs == [RowPair(0, 1, NEAR_BITS, exact=False), RowPair(1, 2, 1, exact=False)]


def test_copies_within_training_are_found_and_stay() -> None:
    frame = framed(("training", "a", 0, 0), ("training", "b", FAR, 0), ("training", "a", 0, 0), ("training", "a", 0, 0))
    result = find(frame)
    assert result.pairs == [RowPair(0, 2, 0, exact=True), RowPair(0, 3, 0, exact=True)]
    assert result.leaks == []


def test_every_training_photo_with_a_held_out_duplicate_leaks_with_the_closest_one() -> None:
    frame = framed(
        ("training", "a", 0, 0),  # the same bytes as in evaluation
        ("training", "b", 0b111, 0),  # three bits from it, one from validation's
        ("evaluation", "a", 0, 0),
        ("validation", "c", 0b011, 0),
        ("training", "d", FAR, FAR),
        ("training", "a", 0, 0),
    )
    assert sorted(find(frame).leaks) == [
        RowPair(0, 2, 0, exact=True),
        RowPair(1, 3, 1, exact=False),
        RowPair(5, 2, 0, exact=True),
    ]


def test_duplicates_across_validation_and_evaluation_are_found_and_are_no_leaks() -> None:
    result = find(framed(("validation", "a", 0, 0), ("evaluation", "b", 1, 0), ("training", "c", FAR, 0)))
    assert result.pairs == [RowPair(0, 1, 1, exact=False)]
    assert result.leaks == []


def test_rows_are_counted_by_position() -> None:
    frame = framed(("training", "a", 0, 0), ("evaluation", "a", 0, 0))
    frame.index = pd.Index([70, 30])
    assert find(frame).leaks == [RowPair(0, 1, 0, exact=True)]
