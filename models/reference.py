"""What a model expects photos to look like to it: how P(food) was spread over the photos that it was chosen on."""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from models.decision import Thresholds

BINS = 10


class Reference(BaseModel):
    """food, unsure: shares of the photos. histogram: how many of them have a P(food) in each of BINS equal parts of [0, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    food: float = Field(ge=0, le=1)
    unsure: float = Field(ge=0, le=1)
    histogram: tuple[int, ...] = Field(min_length=BINS, max_length=BINS)

    @classmethod
    def of(cls, p_food: npt.ArrayLike, thresholds: Thresholds) -> "Reference":
        """Of calibrated probabilities (n,), n ≥ 1; `unsure` are those that would be set aside if that is wanted."""
        p = np.asarray(p_food, np.float64)
        unsure = (p > thresholds.unsure_low) & (p < thresholds.unsure_high)
        counts, _ = np.histogram(p, BINS, (0.0, 1.0))
        return cls(
            food=float((p >= thresholds.food).mean()), unsure=float(unsure.mean()), histogram=tuple(map(int, counts))
        )


def stability_index(expected: npt.ArrayLike, observed: npt.ArrayLike) -> float:
    """Population stability index of two histograms of counts: Σ (o − e) · ln(o ÷ e) over the shares of each bin, ≥ 0.

    Under 0.1 nothing has changed to speak of, above 0.25 the population is another one (Siddiqi, Credit Risk Scorecards,
    2006). Half a photo is added to each bin, so that an empty one does not make it infinite.
    """
    e, o = (np.asarray(counts, np.float64) + 0.5 for counts in (expected, observed))
    e, o = e / e.sum(), o / o.sum()
    return float(((o - e) * np.log(o / e)).sum())
