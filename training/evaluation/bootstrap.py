"""Intervals of figures that have no formula for one: photos are drawn again and again, with replacement."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.decision import Floats

Statistic = Callable[..., Floats]
"""From each part of the data, (b, n): the figures of each of b draws, (k, b), NaN where a figure has no value."""

RESAMPLES = 2000
"""Draws; Efron and Tibshirani 1993 call 1,000 the least for an interval of 95 %."""
_SEED = 1  # the same photos give the same interval
_ELEMENTS = 2_000_000  # drawn at a time, so that a large data set needs no more memory than this


def intervals(statistic: Statistic, *data: npt.NDArray[Any], resamples: int = RESAMPLES, level: float = 0.95) -> Floats:
    """Percentile intervals (k, 2) of k figures (Efron 1979); each part of `data` (n,) is drawn by the same rows.

    Draws in which a figure has no value are left out of its interval; NaN when there is no other.
    """
    n = len(data[0])
    random = np.random.default_rng(_SEED)
    at_a_time = max(1, _ELEMENTS // n)
    parts = []
    for start in range(0, resamples, at_a_time):
        rows = random.integers(0, n, (min(at_a_time, resamples - start), n))
        parts.append(statistic(*(part[rows] for part in data)))
    tails = (0.5 - level / 2, 0.5 + level / 2)
    drawn = (figure[~np.isnan(figure)] for figure in np.concatenate(parts, axis=1))
    return np.array([np.quantile(figure, tails) if len(figure) else (np.nan, np.nan) for figure in drawn])
