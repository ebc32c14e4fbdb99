import numpy as np
import pytest

from models.decision import Thresholds
from models.intervals import wilson_interval
from training.evaluation.curves import OperatingPoint, operating_point, reliability_bins, risk_coverage


def test_bins_of_the_reliability_diagram_are_counted_by_hand() -> None:
    low, middle, high = reliability_bins(np.array([0.02, 0.08, 0.55, 0.9, 1.0, 0.98]), [0, 1, 1, 1, 1, 0], bins=10)
    assert low[:3] == pytest.approx((2, 0.05, 0.5))
    assert middle[:3] == pytest.approx((1, 0.55, 1.0))
    assert high[:3] == pytest.approx((3, 0.96, 2 / 3))  # 1.0 is in the last bin
    assert high.food_share_ci95 == wilson_interval(2, 3)


def test_risk_is_that_of_the_most_confident_photos_first() -> None:
    p_food = np.array([0.6, 0.99, 0.1, 0.2])
    # By confidence: 0.99 right, 0.1 wrong, 0.2 right, 0.6 wrong.
    assert risk_coverage(p_food, [0, 1, 1, 0], 0.5) == [
        OperatingPoint(0.25, 0.0),
        OperatingPoint(0.5, 0.5),
        OperatingPoint(0.75, 1 / 3),
        OperatingPoint(1.0, 0.5),
    ]


def test_photos_of_equal_confidence_are_decided_together() -> None:
    assert risk_coverage(np.array([0.75, 0.25, 0.75]), [0, 0, 1], 0.5) == [OperatingPoint(1.0, 1 / 3)]


def test_the_bundles_thresholds_are_a_point_of_the_curve() -> None:
    p_food, labels = np.array([0.6, 0.99, 0.1, 0.2]), [0, 1, 1, 0]
    thresholds = Thresholds(food=0.5, unsure_low=0.1, unsure_high=0.9)
    assert operating_point(p_food, labels, thresholds) == OperatingPoint(0.5, 0.5)
    assert operating_point(p_food, labels, Thresholds()) == OperatingPoint(1.0, 0.5)
    assert operating_point(p_food, labels, Thresholds(food=0.5, unsure_low=0.0, unsure_high=1.0)) == OperatingPoint(
        0.0, 0.0
    )
