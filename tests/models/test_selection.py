import numpy as np
import numpy.typing as npt
import pytest

from models.selection import most_informative

Floats = npt.NDArray[np.float32]


def kinds(*counts: int) -> Floats:
    """Features of several kinds of photos, far from each other."""
    centres = 10 * np.eye(len(counts), 5, dtype=np.float32)
    return centres.repeat(counts, axis=0) + np.random.default_rng(1).normal(0, 0.1, (sum(counts), 5)).astype(np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_each_kind_of_uncertain_photos_is_shown(seed: int) -> None:
    features = kinds(25, 3, 2)
    chosen = most_informative(np.full(30, 0.5), features, 3, range(30), seed)
    assert sorted(int(features[index].argmax()) for index in chosen) == [0, 1, 2]


def test_sure_photos_are_not_shown() -> None:
    p = np.concatenate([np.linspace(0.4, 0.6, 40), np.full(500, 0.999), np.full(500, 0.001)])
    features = np.random.default_rng(2).normal(0, 1, (1040, 5)).astype(np.float32)
    assert set(most_informative(p, features, 4, range(1040), 1)) <= set(range(40))


def test_the_most_uncertain_photo_of_a_burst_is_shown_alone() -> None:
    p = np.array([0.3, 0.5, 0.4, 0.2, 0.45])
    chosen = most_informative(p, kinds(5), 5, ["a", "a", "a", "b", "c"], 1)
    assert sorted(chosen.tolist()) == [1, 3, 4]


def test_the_choice_is_the_same_for_the_same_seed() -> None:
    features = np.random.default_rng(3).normal(0, 1, (300, 5)).astype(np.float16)
    p = np.random.default_rng(4).random(300)
    first, again, other = (most_informative(p, features, 20, range(300), seed).tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert len(set(first)) == 20


def test_copies_of_one_photo_are_no_error() -> None:
    assert sorted(most_informative(np.full(4, 0.5), np.ones((4, 5), np.float32), 3, range(4), 1).tolist()) == [0, 1, 2]


def test_no_photos_are_no_choice() -> None:
    assert most_informative([], np.zeros((0, 5), np.float32), 10, [], 1).tolist() == []
    assert most_informative([0.5], np.ones((1, 5), np.float32), 0, [0], 1).tolist() == []
