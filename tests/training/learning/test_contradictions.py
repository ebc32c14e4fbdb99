import numpy as np

from tests.training.learning.kinds import KNOWN, SIDES, photos
from training.learning import contradictions

SIDE = SIDES[0]


def test_a_label_is_doubted_where_model_and_neighbours_agree_against_it() -> None:
    labels = np.array([1, 1, 1, 1, 0, 0])
    logits = np.array([-2.0, -2.0, 2.0, 2.0, 2.0, -2.0], np.float32)
    shares = np.array([0.9, 0.5, 0.9, 0.0, 0.6, 1.0])
    assert contradictions.find(logits, labels, shares).tolist() == [True, False, False, False, True, False]


def test_neighbours_are_photos_of_the_bank_and_of_the_person() -> None:
    known, own = photos(KNOWN, 100, 1), photos({0: 0, 5: 0}, 20, 2)
    shares = contradictions.disagreement(
        own.positions[SIDE], own.labels, np.arange(40), known.positions[SIDE], known.labels
    )
    assert shares[:20].min() > 0.5  # the bank says that this kind is food
    assert shares[20:].max() < 0.5  # a kind that the bank lacks: the person's own photos are near


def test_photos_of_one_group_are_no_neighbours() -> None:
    known, own = photos(KNOWN, 100, 1), photos({5: 0}, 20, 2)
    shares = contradictions.disagreement(
        own.positions[SIDE], own.labels, np.zeros(20, np.int64), known.positions[SIDE], np.ones(400, np.int64)
    )
    assert shares.tolist() == [1.0] * 20
