import numpy as np
import numpy.typing as npt
import pytest

from models.decision import Floats, Thresholds, label, probability
from training.fitting.calibrate import choose_margin, choose_thresholds, cost, fit_temperature, net_loss
from training.fitting.features import Labels


def draw(photos: int, seed: int, temperature: float) -> tuple[Floats, Labels]:
    """Logits and labels; a label is food with the probability of logit ÷ temperature."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3 * temperature, photos)
    return logits, (random.random(photos) < probability(logits, temperature)).astype(np.int64)


def decided(p_food: Floats, labels: Labels, at: Thresholds) -> tuple[int, int]:
    """The number of photos that are not set aside, and of wrong labels among them."""
    labels_with_unsure = [label(float(p), at, unsure=True) for p in p_food]
    kept = [(one, truth) for one, truth in zip(labels_with_unsure, labels, strict=True) if one != "unsure"]
    return len(kept), sum((one == "food") != (truth == 1) for one, truth in kept)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_the_temperature_of_the_labels_is_found(temperature: float) -> None:
    logits, labels = draw(20_000, 1, temperature)
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_the_temperature_stays_within_its_bounds() -> None:
    logits = np.linspace(-4, 4, 400)
    assert fit_temperature(logits, (logits > 0).astype(int)) == pytest.approx(0.05, rel=0.01)
    assert fit_temperature(logits, (logits < 0).astype(int)) == pytest.approx(20.0, rel=0.01)


def test_huge_logits_do_not_overflow() -> None:
    with np.errstate(over="raise", invalid="raise"):
        assert 0.05 <= fit_temperature(np.array([-1e6, 1e6, 1e6], np.float32), [0, 1, 0]) <= 20


def test_nothing_is_set_aside_when_nothing_is_wrong() -> None:
    p_food = np.array([0.01, 0.3, 0.49, 0.5, 0.8])
    assert choose_thresholds(p_food, [0, 0, 0, 1, 1], 0.0) == Thresholds(food=0.5, unsure_low=0.5, unsure_high=0.5)


def test_nothing_is_set_aside_when_few_enough_are_wrong() -> None:
    # The most confident photo is wrong: the error rate falls from one in one to one in ten over all photos.
    p_food = np.linspace(0.99, 0.6, 10)
    assert choose_thresholds(p_food, [0] + [1] * 9, 0.1) == Thresholds()


def test_the_photos_up_to_the_first_mistake_are_decided() -> None:
    p_food = np.array([0.99, 0.03, 0.92, 0.25, 0.70])
    at = choose_thresholds(p_food, [1, 0, 1, 1, 1], 0.0)
    assert (at.food, at.unsure_high) == (0.5, 0.92)
    assert at.unsure_low == pytest.approx(0.08)
    assert [label(float(p), at, unsure=True) for p in p_food] == ["food", "non_food", "food", "unsure", "unsure"]


def test_when_the_most_confident_photo_is_wrong_everything_is_set_aside() -> None:
    p_food = np.array([0.95, 0.1, 0.8])
    at = choose_thresholds(p_food, [0, 0, 1], 0.0)
    assert [label(float(p), at, unsure=True) for p in p_food] == ["unsure"] * 3


@pytest.mark.parametrize("rate", [0.0, 0.002, 0.02, 0.05, 0.25])
@pytest.mark.parametrize("decimals", [1, 2, 16])
def test_the_error_rate_of_decided_photos_is_at_most_the_allowed_one(rate: float, decimals: int) -> None:
    for seed in range(10):
        logits, labels = draw(150, seed, 1.0)
        p_food = np.clip(probability(logits, 1.0).round(decimals), 0.001, 0.999)  # rounding makes confidences equal
        at = choose_thresholds(p_food, labels, rate)
        kept, wrong = decided(p_food, labels, at)
        assert wrong <= rate * kept
        if kept < len(labels):
            confidence = np.unique(np.maximum(p_food, 1 - p_food))
            for high in confidence[confidence < at.unsure_high]:  # setting fewer aside leaves too many mistakes
                kept, wrong = decided(p_food, labels, Thresholds(food=0.5, unsure_low=1 - high, unsure_high=high))
                assert wrong > rate * kept


def looks(
    full: list[float], small: list[float], labels: list[int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    return np.array([full, small], np.float32).T, np.array(labels)


def test_the_margin_is_the_smallest_that_loses_no_photo() -> None:
    # The small look is wrong on the second and third photo, with logits of 1.2 and −0.4.
    photos = looks([2.0, -2.0, 2.0, -3.0], [4.0, 1.2, -0.4, -4.0], [1, 0, 1, 0])
    assert net_loss(*photos, margin=0.0) == 2
    assert net_loss(*photos, margin=1.0) == 1
    assert net_loss(*photos, margin=1.3) == 0
    assert choose_margin([photos]) == pytest.approx(1.25, abs=0.051)


def test_the_margin_holds_on_each_set_of_photos() -> None:
    sure = looks([2.0, -2.0], [4.0, -4.0], [1, 0])
    wrong = looks([2.0, -2.0], [4.0, 3.0], [1, 0])
    assert choose_margin([sure]) == 0.0
    assert choose_margin([sure, wrong]) == pytest.approx(3.0, abs=0.051)


def test_a_photo_in_a_thousand_may_be_lost() -> None:
    logits = np.full((2000, 2), 3.0, np.float32)
    logits[:3, 1] = [-1.0, -2.0, -2.5]
    labels = np.ones(2000, np.int64)
    assert choose_margin([(logits, labels)]) == pytest.approx(1.0, abs=0.051)  # the other two are one in a thousand


def test_the_cost_counts_both_looks() -> None:
    assert cost(0.25, 200, 100) == 0.5
