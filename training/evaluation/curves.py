"""The points of the curves in a report."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.decision import Floats, Thresholds
from models.intervals import wilson_interval

RELIABILITY_BINS = 10


class ReliabilityBin(NamedTuple):
    """The photos in one bin of P(food).

    Attributes:
        photos: Number of photos.
        mean_p_food: Their mean P(food).
        food_share: Share of them that is food.
        food_share_ci95: Its 95 % interval.
    """

    photos: int
    mean_p_food: float
    food_share: float
    food_share_ci95: tuple[float, float]


class OperatingPoint(NamedTuple):
    """The effect of setting unsure photos aside.

    Attributes:
        coverage: Share of the photos that are decided.
        risk: Share of wrong labels among the decided photos.
    """

    coverage: float
    risk: float


def reliability_bins(p_food: Floats, labels: npt.ArrayLike, bins: int = RELIABILITY_BINS) -> list[ReliabilityBin]:
    """Returns the non-empty bins of a reliability diagram (DeGroot and Fienberg 1983), of equal width, from 0 to 1.

    Args:
        p_food: P(food) (n,).
        labels: (n,), 1 = food.
        bins: Number of bins.
    """
    food = np.asarray(labels) == 1
    bin_of_photo = np.minimum((p_food * bins).astype(int), bins - 1)
    reliability = []
    for number in np.unique(bin_of_photo):
        inside = bin_of_photo == number
        photos = int(inside.sum())
        food_count = int(food[inside].sum())
        reliability.append(
            ReliabilityBin(
                photos=photos,
                mean_p_food=float(p_food[inside].mean()),
                food_share=food_count / photos,
                food_share_ci95=wilson_interval(food_count, photos),
            )
        )
    return reliability


def risk_coverage(p_food: Floats, labels: npt.ArrayLike, threshold: float) -> list[OperatingPoint]:
    """Returns the risk–coverage curve (El-Yaniv and Wiener 2010), from the most confident photos alone to all photos.

    The confidence is max(p, 1 − p). Photos of equal confidence are decided together.

    Args:
        p_food: P(food) (n,).
        labels: (n,), 1 = food.
        threshold: P(food) at or above which a photo is predicted to be food.
    """
    wrong = (p_food >= threshold) != (np.asarray(labels) == 1)
    confidence = np.maximum(p_food, 1 - p_food)
    order = np.argsort(-confidence, kind="stable")
    group_ends = np.flatnonzero(np.append(np.diff(confidence[order]) < 0, True))  # of groups of equal confidence
    mistakes = np.cumsum(wrong[order])[group_ends]
    return [
        OperatingPoint(coverage=float((end + 1) / len(order)), risk=float(mistakes_so_far / (end + 1)))
        for end, mistakes_so_far in zip(group_ends, mistakes, strict=True)
    ]


def operating_point(p_food: Floats, labels: npt.ArrayLike, thresholds: Thresholds) -> OperatingPoint:
    """Returns the coverage and risk at a bundle's thresholds; the risk is 0 if nothing is decided.

    Args:
        p_food: P(food) (n,).
        labels: (n,), 1 = food.
        thresholds: The bundle's.
    """
    wrong = (p_food >= thresholds.food) != (np.asarray(labels) == 1)
    decided = (p_food <= thresholds.unsure_low) | (p_food >= thresholds.unsure_high)  # as in `models.decision.label`
    risk = float(wrong[decided].mean()) if decided.any() else 0.0
    return OperatingPoint(coverage=float(decided.mean()), risk=risk)
