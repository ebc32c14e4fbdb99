"""The numbers behind the curves of a report."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.decision import Floats, Thresholds
from models.intervals import wilson_interval

BINS = 10


class Bin(NamedTuple):
    """Photos of like probability: how many, their mean P(food), and the share that is food with its 95 % interval."""

    n: int
    p_food: float
    food: float
    food_ci95: tuple[float, float]


class Decided(NamedTuple):
    """What setting unsure photos aside does: the share still decided, and the share of wrong labels among those."""

    coverage: float
    risk: float


def reliability(p_food: Floats, labels: npt.ArrayLike, bins: int = BINS) -> list[Bin]:
    """The bins of equal width of P(food) that hold a photo, from 0 to 1 (DeGroot and Fienberg 1983)."""
    food = np.asarray(labels) == 1
    which = np.minimum((p_food * bins).astype(int), bins - 1)
    found = []
    for number in np.unique(which):
        inside = which == number
        n, foods = int(inside.sum()), int(food[inside].sum())
        found.append(Bin(n, float(p_food[inside].mean()), foods / n, wilson_interval(foods, n)))
    return found


def risk_coverage(p_food: Floats, labels: npt.ArrayLike, threshold: float) -> list[Decided]:
    """What is left when the least sure photos are set aside, from the surest group alone to all of them.

    Sure is max(p, 1 − p); equally sure photos stay together (El-Yaniv and Wiener 2010).
    """
    wrong = (p_food >= threshold) != (np.asarray(labels) == 1)
    sureness = np.maximum(p_food, 1 - p_food)
    order = np.argsort(-sureness, kind="stable")
    last = np.flatnonzero(np.append(np.diff(sureness[order]) < 0, True))  # of each equally sure group
    mistakes = np.cumsum(wrong[order])[last]
    return [
        Decided(float((at + 1) / len(order)), float(bad / (at + 1))) for at, bad in zip(last, mistakes, strict=True)
    ]


def decided(p_food: Floats, labels: npt.ArrayLike, thresholds: Thresholds) -> Decided:
    """The coverage and risk of a bundle's thresholds; the risk is 0 when nothing is decided."""
    wrong = (p_food >= thresholds.food) != (np.asarray(labels) == 1)
    kept = (p_food <= thresholds.unsure_low) | (p_food >= thresholds.unsure_high)  # as `models.decision.label` decides
    return Decided(float(kept.mean()), float(wrong[kept].mean()) if kept.any() else 0.0)
