import numpy as np
import pytest

from training.learning.folds import assign


def test_groups_stay_whole_and_labels_are_shared_out() -> None:
    random = np.random.default_rng(1)
    labels = (random.random(200) < 0.3).astype(np.int64)
    groups = random.integers(0, 90, 200)
    folds = assign(labels, groups, 1)
    assert set(folds) == set(range(10))
    for number in set(groups):
        assert len(set(folds[groups == number])) == 1
    for fold in range(10):
        assert 14 <= (folds == fold).sum() <= 26
        assert (labels[folds == fold] == 1).any()


def test_one_label_alone_is_no_error() -> None:
    assert sorted(assign(np.ones(30, np.int64), np.arange(30), 1).tolist()) == sorted([*range(10)] * 3)


@pytest.mark.parametrize(("count", "folds"), [(1, 1), (2, 2), (7, 7), (1000, 10), (1001, 5)])
def test_there_are_as_many_folds_as_the_photos_allow(count: int, folds: int) -> None:
    assert len(set(assign(np.arange(count) % 2, np.arange(count), 1))) == folds


def test_one_group_is_one_fold() -> None:
    assert assign(np.array([0, 1, 1]), np.zeros(3, np.int64), 1).tolist() == [0, 0, 0]
