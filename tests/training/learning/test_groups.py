import numpy as np
import numpy.typing as npt

from training.learning.groups import group, near_pairs

Floats = npt.NDArray[np.float32]


def apart(count: int) -> Floats:
    """Positions of photos that are not alike; the last column is the evidence."""
    return np.random.default_rng(count).normal(0, 1, (count, 40)).astype(np.float32)


def grouped(numbers: npt.NDArray[np.int64]) -> list[set[int]]:
    return [set(np.flatnonzero(numbers == number).tolist()) for number in dict.fromkeys(numbers.tolist())]


def test_photos_that_have_nothing_in_common_are_apart() -> None:
    numbers = group(apart(5), list("abcde"), [""] * 5, [""] * 5)
    assert grouped(numbers) == [{0}, {1}, {2}, {3}, {4}]


def test_exact_copies_bursts_and_near_copies_are_one_group_each() -> None:
    positions = apart(8)
    positions[5] = positions[2] * 1.5
    positions[5, -1] = 9.0  # the evidence does not count
    cameras = ["", "", "", "Sony", "Sony", "", "Sony", "Canon"]
    times = ["", "", "", *["2026-07-01T18:30:05", "2026-07-01T18:30:59"], "", *["2026-07-01T18:31:00"] * 2]
    numbers = group(positions, ["a", "a", "c", "d", "e", "f", "g", "h"], cameras, times)
    assert grouped(numbers) == [{0, 1}, {2, 5}, {3, 4}, {6}, {7}]


def test_groups_that_share_a_photo_are_one() -> None:
    positions = apart(4)
    positions[2] = positions[1]
    minute = ["", "", "2026-07-01T18:30:05", "2026-07-01T18:30:05"]
    assert grouped(group(positions, ["a", "a", "b", "c"], ["Sony"] * 4, minute)) == [{0, 1, 2, 3}]


def test_photos_without_a_time_are_no_burst() -> None:
    assert len(set(group(apart(3), list("abc"), ["Sony"] * 3, [""] * 3))) == 3


def test_near_pairs_are_found_in_all_tiles() -> None:
    first, second = apart(2100), apart(2300)
    second[[7, 2250]] = first[[2090, 3]]
    assert set(near_pairs(first, second)) == {(2090, 7), (3, 2250)}


def test_a_position_of_length_zero_is_like_no_other() -> None:
    positions = np.zeros((2, 4), np.float32)
    assert list(near_pairs(positions, positions)) == []
