import numpy as np

from training.data.similar_photos import SimilarPair, find


def test_the_nearest_held_out_photo_is_named_if_it_is_near_enough() -> None:
    held_out = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    training = np.array([[0.9, np.sqrt(0.19), 0], [0, 0, 1], [0, 1, 0], [0.79, 0, np.sqrt(1 - 0.79**2)]], np.float32)
    pairs = find(training, ["a", "b", "c", "d"], held_out, ["x", "y"])
    assert [(pair.path, pair.twin) for pair in pairs] == [("c", "y"), ("a", "x")]
    assert pairs[1] == SimilarPair("a", "x", float(np.float32(0.9)))


def test_more_photos_than_fit_into_one_product_are_compared() -> None:
    training = np.zeros((3000, 2), np.float32)
    training[2500, 0] = 1
    pairs = find(training, [str(row) for row in range(3000)], np.array([[1, 0]], np.float32), ["x"])
    assert pairs == [SimilarPair("2500", "x", 1.0)]
