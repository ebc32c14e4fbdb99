"""Logit to probability to label. Pure arithmetic, the same for training, evaluation and the daemon."""

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from models import Label

Floats = npt.NDArray[np.float64]


class Thresholds(BaseModel):
    """Where the calibrated P(food) becomes a label.

    food: at or above it a photo is food.
    unsure_low, unsure_high: strictly between them the model is not sure; equal values set nothing aside.
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
    """Calibrated P(food) in [0, 1] of logits: the logistic function of logit ÷ temperature (Guo et al. 2017)."""
    scaled = np.asarray(logits, np.float64) / temperature
    return 0.5 * (1.0 + np.tanh(0.5 * scaled))  # the logistic function, without overflow at either end


def label(p_food: float, thresholds: Thresholds, *, unsure: bool = False) -> Label:
    """The label of one photo. `unsure` says whether photos the model is not sure of are set aside."""
    if unsure and thresholds.unsure_low < p_food < thresholds.unsure_high:
        return "unsure"
    return "food" if p_food >= thresholds.food else "non_food"
