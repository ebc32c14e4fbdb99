"""Two runs over the same photos: which of the two is right, and whether the difference may be chance."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import binomtest

from training.evaluation.predictions import Judged

Flags = npt.NDArray[np.bool_]


class McNemar(NamedTuple):
    """How many photos both, only the first, only the second and neither get right, and the p of McNemar's exact test."""

    both: int
    only_first: int
    only_second: int
    neither: int
    p: float


class Comparison(NamedTuple):
    """`second` against `first`, each by the name it is shown under.

    accuracy: of each. test: McNemar's. largest: the largest difference in P(food).
    differing: the photos that the two label differently, columns path, label (1 = food), p_first, p_second; those whose
    probabilities differ most first.
    """

    first: str
    second: str
    n: int
    accuracy: tuple[float, float]
    test: McNemar
    largest: float
    differing: pd.DataFrame


def mcnemar(first: Flags, second: Flags) -> McNemar:
    """Compares which photos (n,) two models get right: the exact, two-sided test on those that one of the two gets right.

    If neither is better, each of these is as likely the first's as the second's (McNemar 1947).
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    p = float(binomtest(only_first, apart, 0.5).pvalue) if apart else 1.0
    return McNemar(int((first & second).sum()), only_first, only_second, int((~first & ~second).sum()), p)


def compare(first: Judged, second: Judged, names: tuple[str, str]) -> Comparison:
    """Compares two runs on the photos that both could read."""
    one, other = _columns(first), _columns(second)
    shared = one.merge(other[["path", "p", "right"]], on="path", suffixes=("_first", "_second"))
    right_first, right_second = (shared[name].to_numpy(bool) for name in ("right_first", "right_second"))
    apart = (shared["p_first"] - shared["p_second"]).abs()
    order = apart.sort_values(ascending=False, kind="stable").index
    differing = shared.loc[order[(right_first != right_second)[order]], ["path", "label", "p_first", "p_second"]]
    return Comparison(
        *names,
        n=len(shared),
        accuracy=(float(right_first.mean()), float(right_second.mean())),
        test=mcnemar(right_first, right_second),
        largest=float(apart.max()),
        differing=differing.reset_index(drop=True),
    )


def as_json(comparison: Comparison) -> dict[str, Any]:
    """What `metrics.json` says of a comparison."""
    return {
        "first": comparison.first,
        "second": comparison.second,
        "n": comparison.n,
        "accuracy": list(comparison.accuracy),
        **comparison.test._asdict(),
        "largest_difference": comparison.largest,
    }


def _columns(judged: Judged) -> pd.DataFrame:
    return judged.photos[["path", "label"]].assign(p=judged.p_food, right=~judged.wrong)
