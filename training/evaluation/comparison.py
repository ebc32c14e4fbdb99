"""Compares the predictions of two models, or of two engines, photo by photo."""

from typing import NamedTuple, TypedDict

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from training.evaluation.predictions import Predictions

Mask = npt.NDArray[np.bool_]


class McNemarTest(NamedTuple):
    """McNemar's exact test.

    Attributes:
        both: Photos that both get right.
        only_first: Photos that only the first gets right.
        only_second: Photos that only the second gets right.
        neither: Photos that neither gets right.
        p: The p-value.
    """

    both: int
    only_first: int
    only_second: int
    neither: int
    p: float


class Comparison(NamedTuple):
    """The second model compared with the first.

    Attributes:
        first: Name of the first.
        second: Name of the second.
        n: Photos that both could read.
        accuracy: Accuracy of each.
        test: Whether the difference may be chance.
        largest_difference: Largest absolute difference in P(food).
        disagreements: The photos that the two label differently, columns path, label (1 = food), p_first, p_second;
            the largest difference first.
    """

    first: str
    second: str
    n: int
    accuracy: tuple[float, float]
    test: McNemarTest
    largest_difference: float
    disagreements: pd.DataFrame


class ComparisonMetrics(TypedDict):
    """A comparison in `metrics.json`."""

    first: str
    second: str
    n: int
    accuracy: list[float]
    both: int
    only_first: int
    only_second: int
    neither: int
    p: float
    largest_difference: float


def mcnemar(first: Mask, second: Mask) -> McNemarTest:
    """Runs McNemar's exact, two-sided test (McNemar 1947) on the photos that exactly one of two models gets right.

    If neither model is better, each of these photos is equally likely to be the first's or the second's.

    Args:
        first: Which photos (n,) the first model gets right.
        second: Which photos (n,) the second model gets right.
    """
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    discordant = only_first + only_second
    return McNemarTest(
        both=int((first & second).sum()),
        only_first=only_first,
        only_second=only_second,
        neither=int((~first & ~second).sum()),
        p=float(binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0,
    )


def compare(first: Predictions, second: Predictions, names: tuple[str, str]) -> Comparison:
    """Compares two predictions on the photos that both could read.

    Args:
        first: Predictions of the first model.
        second: Predictions of the second model.
        names: Their names in the report.
    """
    merged = _columns(first).merge(_columns(second)[["path", "p", "right"]], on="path", suffixes=("_first", "_second"))
    right_first = merged["right_first"].to_numpy(bool)
    right_second = merged["right_second"].to_numpy(bool)
    difference = (merged["p_first"] - merged["p_second"]).abs()
    order = difference.sort_values(ascending=False, kind="stable").index
    disagreeing = order[(right_first != right_second)[order]]
    return Comparison(
        first=names[0],
        second=names[1],
        n=len(merged),
        accuracy=(float(right_first.mean()), float(right_second.mean())),
        test=mcnemar(right_first, right_second),
        largest_difference=float(difference.max()),
        disagreements=merged.loc[disagreeing, ["path", "label", "p_first", "p_second"]].reset_index(drop=True),
    )


def as_json(comparison: Comparison) -> ComparisonMetrics:
    """Returns the comparison as in `metrics.json`."""
    return ComparisonMetrics(
        first=comparison.first,
        second=comparison.second,
        n=comparison.n,
        accuracy=list(comparison.accuracy),
        both=comparison.test.both,
        only_first=comparison.test.only_first,
        only_second=comparison.test.only_second,
        neither=comparison.test.neither,
        p=comparison.test.p,
        largest_difference=comparison.largest_difference,
    )


def _columns(predictions: Predictions) -> pd.DataFrame:
    return predictions.photos[["path", "label"]].assign(p=predictions.p_food, right=~predictions.wrong)
