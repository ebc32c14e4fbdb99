"""The distribution of P(food) over a model's validation photos, to detect drift."""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from models.decision import Thresholds

BINS = 10


class Reference(BaseModel):
    """The distribution of a model's predictions.

    Attributes:
        food: Share of photos labelled food.
        unsure: Share of photos between the thresholds of unsure.
        histogram: Number of photos with P(food) in each of BINS equal parts of [0, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    food: float = Field(ge=0, le=1)
    unsure: float = Field(ge=0, le=1)
    histogram: tuple[int, ...] = Field(min_length=BINS, max_length=BINS)

    @classmethod
    def of(cls, p_food: npt.ArrayLike, thresholds: Thresholds) -> "Reference":
        """Describes calibrated probabilities (n,), n ≥ 1."""
        p = np.asarray(p_food, np.float64)
        unsure = (p > thresholds.unsure_low) & (p < thresholds.unsure_high)
        counts, _ = np.histogram(p, BINS, (0.0, 1.0))
        return cls(
            food=float((p >= thresholds.food).mean()), unsure=float(unsure.mean()), histogram=tuple(map(int, counts))
        )


def stability_index(expected: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Computes the population stability index of two histograms, ≥ 0: Σ (o − e) · ln(o ÷ e) over the shares of bins.

    Below 0.1 the change is negligible, above 0.25 the population is a different one (Siddiqi, Credit Risk Scorecards,
    2006). Half a photo is added to each bin, so that an empty bin does not make the index infinite.

    Args:
        expected: Comparison by bin.
        observed: Comparison by bin.
    """
    e, o = (np.asarray(counts, np.float64) + 0.5 for counts in (expected, observed))
    e, o = e / e.sum(), o / o.sum()
    return float(((o - e) * np.log(o / e)).sum())
