import numpy as np
import pytest

from models.decision import Thresholds
from tests.training.learning.kinds import KNOWN, SIDES, Made, base, persons, photos
from training.learning import candidate
from training.learning.candidate import Candidate
from training.learning.judge import Reader

NEW = {5: 0, 6: 0, 7: 1}


def yes(_: Candidate) -> bool:
    return True


def reader(made: Candidate) -> Reader:
    return Reader(made.heads, made.cascade, made.thresholds)


def wrong(made: Candidate, of: Made) -> float:
    return float(((reader(made).p_food(of.positions) >= 0.5) != (of.labels == 1)).mean())


def test_new_kinds_are_learned_and_judged_out_of_fold() -> None:
    start = base()
    own = photos(NEW, 20, 3)
    made = candidate.make(start, persons(own), yes, 1)
    live = Reader(start.heads, start.cascade, start.thresholds)
    unseen = photos(NEW, 100, 4)
    assert ((live.p_food(unseen.positions) >= 0.5) != (unseen.labels == 1)).mean() > 0.5
    assert wrong(made, unseen) < 0.05
    assert wrong(made, photos(KNOWN, 100, 5)) < 0.02
    assert ((made.p_held_out >= 0.5) == (own.labels == 1)).mean() > 0.9
    assert not made.asked_again.any()


def test_out_of_fold_means_that_a_photo_has_not_taught_its_own_label() -> None:
    """Labels of chance can be learned by heart, but not predicted."""
    random = np.random.default_rng(6)
    own = photos({5: 0, 6: 0}, 60, 3)
    own = own._replace(labels=random.integers(0, 2, 120))
    made = candidate.make(base(), persons(own, asked=2), yes, 1)
    right = ((made.p_held_out >= 0.5) == (own.labels == 1)).mean()
    assert 0.3 < right < 0.65


def test_photos_of_one_group_are_judged_by_heads_that_have_seen_none_of_them() -> None:
    own = photos({5: 0}, 20, 3)
    together = persons(own)._replace(groups=np.zeros(20, np.int64))
    made = candidate.make(base(), together, yes, 1)
    assert (made.p_held_out >= 0.5).all()  # no other photo of this kind is known
    assert wrong(made, photos({5: 0}, 50, 4)) < 0.05


def test_a_slip_is_asked_again_and_does_not_count_until_it_is_given_twice() -> None:
    own = photos({0: 1, 1: 0, 5: 0}, 20, 3)
    own.labels[0] = 0
    made = candidate.make(base(), persons(own), yes, 1)
    assert np.flatnonzero(made.asked_again).tolist() == [0]
    position = {side: own.positions[side][:1] for side in SIDES}
    assert reader(made).p_food(position)[0] > 0.9
    insisted = candidate.make(base(), persons(own, asked=2), yes, 1)
    assert not insisted.asked_again.any()
    assert reader(insisted).p_food(position)[0] < reader(made).p_food(position)[0] - 0.1


def test_labels_of_one_class_are_enough() -> None:
    made = candidate.make(base(), persons(photos({5: 0}, 30, 3)), yes, 1)
    assert wrong(made, photos({5: 0}, 50, 4)) < 0.05
    assert wrong(made, photos(KNOWN, 100, 5)) < 0.02


@pytest.mark.parametrize("label", [0, 1])
def test_one_label_is_no_error(label: int) -> None:
    made = candidate.make(base(), persons(photos({5: label}, 1, 3)), yes, 1)
    assert made.p_held_out.shape == (1,)


def test_labels_that_all_contradict_their_neighbours_change_nothing() -> None:
    own = photos({kind: 1 - label for kind, label in KNOWN.items()}, 3, 3)
    made = candidate.make(base(), persons(own), yes, 1)
    assert made.asked_again.all()
    assert wrong(made, photos(KNOWN, 100, 5)) < 0.02


def test_the_next_weight_is_taken_where_the_guard_would_lose_and_the_first_if_none_keeps_it() -> None:
    own = persons(photos(NEW, 20, 3))
    tried: list[int] = []

    def refuse(made: Candidate) -> bool:
        tried.append(made.weight)
        return False

    kept = candidate.make(base(), own, refuse, 1)
    assert sorted(tried) == [1, 3, 10]
    assert kept.weight == tried[0]
    second = candidate.make(base(), own, lambda made: made.weight == tried[1], 1)
    assert second.weight == tried[1]


def test_calibration_is_never_less_cautious_than_the_base() -> None:
    start = base()
    made = candidate.make(start, persons(photos(NEW, 20, 3)), yes, 1)
    assert made.cascade is not None
    assert start.cascade is not None
    assert made.cascade.margin >= start.cascade.margin
    assert made.thresholds.unsure_low <= 0.1
    assert made.thresholds.unsure_high >= 0.9
    assert all(made.heads[side].temperature >= start.heads[side].temperature for side in SIDES)


def test_confident_mistakes_out_of_fold_widen_the_band_and_cool_the_heads() -> None:
    start = base()._replace(thresholds=Thresholds())
    random = np.random.default_rng(6)
    own = photos({5: 0, 6: 0}, 60, 3)
    own = own._replace(labels=random.integers(0, 2, 120))
    made = candidate.make(start, persons(own, asked=2), yes, 1)
    assert made.thresholds.unsure_low < 0.5 < made.thresholds.unsure_high
    assert made.heads[SIDES[0]].temperature > start.heads[SIDES[0]].temperature


def test_a_base_with_one_look_stays_one() -> None:
    start = base()
    alone = start._replace(heads={32: start.heads[32]}, cascade=None)
    made = candidate.make(alone, persons(photos(NEW, 20, 3)), yes, 1)
    assert made.cascade is None
    assert wrong(made, photos(NEW, 50, 4)) < 0.05
