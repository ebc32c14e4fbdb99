"""Bootstrap intervals of metrics without a formula for one: photos are resampled with replacement."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from models.decision import Floats

Statistic = Callable[..., Floats]
"""Resampled arrays, (b, n) each → k metrics of each of the b samples, (k, b); NaN if a metric is undefined."""

RESAMPLES = 2000
"""Efron and Tibshirani 1993 recommend at least 1,000 samples for a 95 % interval."""
_SEED = 1  # fixed, so that the same photos give the same interval
_MAX_ELEMENTS = 2_000_000  # resampled at once; bounds the memory that a large data set takes


def percentile_intervals(
    statistic: Statistic, *data: npt.NDArray[Any], resamples: int = RESAMPLES, level: float = 0.95
) -> Floats:
    """Returns percentile bootstrap intervals (Efron 1979).

    Args:
        statistic: Computes k metrics.
        *data: Arrays (n,); all are resampled by the same rows.
        resamples: Number of bootstrap samples.
        level: Confidence level, 0 to 1.

    Returns:
        (k, 2). Samples without a value are left out of a metric's interval; it is NaN if no sample has a value.
    """
    n = len(data[0])
    random = np.random.default_rng(_SEED)
    chunk = max(1, _MAX_ELEMENTS // n)
    chunks = []
    for start in range(0, resamples, chunk):
        rows = random.integers(0, n, (min(chunk, resamples - start), n))
        chunks.append(statistic(*(array[rows] for array in data)))
    tails = (0.5 - level / 2, 0.5 + level / 2)
    defined = (values[~np.isnan(values)] for values in np.concatenate(chunks, axis=1))
    return np.array([np.quantile(values, tails) if len(values) else (np.nan, np.nan) for values in defined])
