import math

import numpy as np
import pytest
from pydantic import ValidationError

from models.decision import Thresholds, label, probability

APART = Thresholds(food=0.5, unsure_low=0.2, unsure_high=0.9)


def test_probability_is_the_logistic_function_of_the_scaled_logit() -> None:
    logits = np.array([-3.0, -0.5, 0.0, 2.0])
    assert np.allclose(probability(logits, 1.0), 1 / (1 + np.exp(-logits)))
    assert np.allclose(probability(logits, 2.0), 1 / (1 + np.exp(-logits / 2)))


def test_extreme_logits_do_not_overflow() -> None:
    with np.errstate(all="raise"):
        assert probability(np.array([-1e6, 1e6]), 0.1).tolist() == [0.0, 1.0]


def test_probability_takes_a_single_float32_logit() -> None:
    assert float(probability(np.float32(1.0), 2.0)) == pytest.approx(1 / (1 + math.exp(-0.5)))


def test_a_higher_temperature_lowers_the_confidence_and_keeps_the_label() -> None:
    by_temperature = [float(probability(3.0, temperature)) for temperature in (0.5, 1.0, 2.0, 20.0)]
    assert by_temperature == sorted(by_temperature, reverse=True)
    assert by_temperature[-1] > 0.5


@pytest.mark.parametrize(
    ("p_food", "expected"), [(0.0, "non_food"), (0.4999, "non_food"), (0.5, "food"), (1.0, "food")]
)
def test_the_threshold_itself_is_food(p_food: float, expected: str) -> None:
    assert label(p_food, Thresholds()) == expected


@pytest.mark.parametrize(
    ("p_food", "expected"), [(0.2, "non_food"), (0.21, "unsure"), (0.5, "unsure"), (0.89, "unsure"), (0.9, "food")]
)
def test_photos_between_the_thresholds_are_unsure_if_allowed(p_food: float, expected: str) -> None:
    assert label(p_food, APART, unsure=True) == expected
    assert label(p_food, APART) == ("food" if p_food >= 0.5 else "non_food")


def test_equal_thresholds_leave_no_photo_unsure() -> None:
    assert label(0.5, Thresholds(), unsure=True) == "food"


@pytest.mark.parametrize("values", [(0.5, 0.6, 0.9), (0.5, 0.1, 0.4), (0.0, 0.0, 0.0), (0.5, -0.1, 0.9)])
def test_thresholds_out_of_order_or_range_are_refused(values: tuple[float, float, float]) -> None:
    food, low, high = values
    with pytest.raises(ValidationError):
        Thresholds(food=food, unsure_low=low, unsure_high=high)
