"""Calibration on the validation split: temperature and thresholds."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from models.decision import Floats, Thresholds


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Fits the temperature that minimizes the negative log-likelihood (Guo et al. 2017).

    Args:
        logits: (n,), of the validation split.
        labels: (n,), 1 = food.

    Returns:
        A temperature in [0.05, 20].
    """
    signs = np.where(np.asarray(labels) == 1, 1.0, -1.0)
    margins = signs * np.asarray(logits, np.float64)

    def loss(log_temperature: float) -> float:
        return float(np.logaddexp(0.0, -margins / np.exp(log_temperature)).mean())

    bounds = (float(np.log(0.05)), float(np.log(20.0)))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def choose_thresholds(p_food: Floats, labels: npt.ArrayLike, unsure_error: float) -> Thresholds:
    """Chooses the `unsure` thresholds that set as few photos aside as the error rate allows.

    Photos are set aside in the order of their confidence max(p, 1 − p). The threshold between the labels is 0.5.

    Args:
        p_food: Calibrated P(food) (n,).
        labels: (n,), 1 = food.
        unsure_error: Highest error rate allowed among the photos that are decided, 0 to 1.
    """
    wrong = (p_food >= 0.5) != (np.asarray(labels) == 1)
    if wrong.mean() <= unsure_error:
        return Thresholds()
    for high in np.unique(np.maximum(p_food, 1 - p_food)):  # ascending confidence; equal confidences form one group
        low = 1 - high
        decided = (p_food <= low) | (p_food >= high)  # as `models.decision.label` decides
        if wrong[decided].sum() <= unsure_error * decided.sum():
            return Thresholds(food=0.5, unsure_low=float(low), unsure_high=float(high))
    return Thresholds(food=0.5, unsure_low=0.0, unsure_high=1.0)
