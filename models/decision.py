"""From logit to probability to label: the same arithmetic for training, evaluation and the daemon."""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models import Label

Floats = npt.NDArray[np.float64]


class Thresholds(BaseModel):
    """The thresholds that turn the calibrated P(food) into a label.

    Attributes:
        food: At or above it a photo is food.
        unsure_low: Lower bound of unsure, exclusive.
        unsure_high: Upper bound of unsure, exclusive; equal bounds make no photo unsure.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    food: float = Field(0.5, gt=0, lt=1)
    unsure_low: float = Field(0.5, ge=0, le=1)
    unsure_high: float = Field(0.5, ge=0, le=1)

    @model_validator(mode="after")
    def _in_order(self) -> "Thresholds":
        if not self.unsure_low <= self.food <= self.unsure_high:
            raise ValueError("thresholds must be in the order unsure_low ≤ food ≤ unsure_high")
        return self


def probability(logits: npt.ArrayLike, temperature: float) -> Floats:
    """Computes calibrated P(food) in [0, 1]: the logistic function of logit ÷ temperature (Guo et al. 2017)."""
    scaled = np.asarray(logits, np.float64) / temperature
    return 0.5 * (1.0 + np.tanh(0.5 * scaled))  # the logistic function, without overflow at either end


def label(p_food: float, thresholds: Thresholds, *, unsure: bool = False) -> Label:
    """Returns the label for P(food); `unsure` allows the label of that name."""
    if unsure and thresholds.unsure_low < p_food < thresholds.unsure_high:
        return "unsure"
    return "food" if p_food >= thresholds.food else "non_food"
