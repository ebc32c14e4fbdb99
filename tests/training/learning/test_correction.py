import numpy as np
import pytest

from tests.training.learning.kinds import KNOWN, SIDES, head, photos
from training.learning import correction

SIDE = SIDES[0]


def problem(new: dict[int, int], count: int = 20) -> correction.Problem:
    own, known = photos(new, count, 3), photos(KNOWN, 100, 1)
    return correction.prepare(head(), [own.positions[SIDE], known.positions[SIDE]], [own.labels, known.labels])


def fitted(weight: float, new: dict[int, int]) -> tuple[correction.Problem, correction.Correction]:
    made = problem(new)
    weights = np.concatenate([np.full(20 * len(new), weight), np.ones(400)])
    (one,) = correction.fit(made, np.arange(20 * len(new)), [weights])
    return made, one


def test_a_new_kind_is_learned_and_the_known_ones_stay() -> None:
    _, one = fitted(10, {5: 0})
    corrected = correction.corrected(head(), one, 1.0)
    new, known = photos({5: 0}, 200, 8), photos(KNOWN, 200, 9)
    assert (head().logits_at(new.positions[SIDE]) > 0).mean() > 0.9
    assert (corrected.logits_at(new.positions[SIDE]) < 0).mean() > 0.95
    right = (corrected.logits_at(known.positions[SIDE]) >= 0) == (known.labels == 1)
    assert right.mean() > 0.99


def test_the_head_is_the_sum_of_both_parts_divided_by_the_temperature() -> None:
    made, one = fitted(3, {5: 0, 6: 1})
    rows = np.arange(len(made.labels))
    for temperature in (1.0, 2.5):
        corrected = correction.corrected(made.head, one, temperature)
        expected = correction.apply(one, made, rows) / temperature
        np.testing.assert_allclose(corrected.logits_at(made.positions), expected, atol=2e-3)


def test_a_head_that_is_calibrated_by_a_temperature_is_corrected_in_calibrated_units() -> None:
    import dataclasses

    hot = dataclasses.replace(head(), temperature=0.25)
    own, known = photos({5: 0}, 20, 3), photos(KNOWN, 100, 1)
    made = correction.prepare(hot, [own.positions[SIDE], known.positions[SIDE]], [own.labels, known.labels])
    (one,) = correction.fit(made, np.arange(20), [np.ones(420)])
    corrected = correction.corrected(hot, one, 1.0)
    np.testing.assert_allclose(
        corrected.logits_at(made.positions), correction.apply(one, made, np.arange(420)), atol=5e-3
    )


def test_photos_of_weight_zero_teach_nothing() -> None:
    made = problem({5: 0})
    weights = [np.concatenate([np.zeros(20), np.ones(400)]), np.concatenate([np.full(20, 10.0), np.ones(400)])]
    without, with_them = correction.fit(made, np.arange(20), weights)
    rows = np.arange(20)
    assert (correction.apply(without, made, rows) > 0).mean() > 0.9
    assert (correction.apply(with_them, made, rows) < 0).all()


def test_copies_of_one_photo_have_no_large_weights_of_opposite_signs() -> None:
    made = problem({5: 0})
    made.positions[1:10] = made.positions[0]
    (one,) = correction.fit(made, np.arange(20), [np.concatenate([np.full(20, 10.0), np.ones(400)])])
    assert np.abs(one.weights[:10]).max() < 5 * np.abs(one.weights[:10].sum())


def test_no_photos_change_nothing() -> None:
    made = problem({5: 0})
    (one,) = correction.fit(made, np.zeros(0, np.int64), [np.ones(420)])
    np.testing.assert_array_equal(correction.apply(one, made, np.arange(420)), made.offsets)
    assert len(correction.corrected(head(), one, 1.0).centres) == len(head().centres)


def test_there_are_at_most_so_many_landmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correction, "LANDMARKS", 5)
    rows = np.arange(10, 30)
    chosen = correction.landmarks(rows, 1)
    assert len(chosen) == len(set(chosen)) == 5
    assert set(chosen) <= set(rows)
    assert correction.landmarks(rows[:3], 1).tolist() == [10, 11, 12]
    made = problem({5: 0, 6: 1})
    (one,) = correction.fit(made, chosen, [np.concatenate([np.full(40, 10.0), np.ones(400)])])
    assert len(one.centres) == 5
