"""Calibration on held-out photos: temperature, thresholds, and the margin of the small look."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from models.cascade import combine
from models.decision import Floats, Thresholds


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Fits the temperature that minimizes the negative log-likelihood (Guo et al. 2017).

    Args:
        logits: (n,), of held-out photos.
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


NET_LOSS = 0.001
"""Largest share of photos that a cascade may lose, net, against one look at the full side."""
_MARGIN_STEP = 0.05


def choose_margin(held_out: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]]) -> float:
    """Chooses the smallest margin of the small look with which a cascade loses at most `NET_LOSS` on each set of photos.

    Larger margins must not lose more either, so that the choice does not hang on a few photos.

    Args:
        held_out: Sets of held-out photos: calibrated logits (n, 2), the full look's and the small look's, and the
            labels (n,), 1 = food.

    Returns:
        The margin, in units of the logit.
    """
    highest = max(float(np.abs(logits[:, 1]).max()) for logits, _ in held_out)
    margins = np.arange(0.0, highest + _MARGIN_STEP, _MARGIN_STEP)
    chosen = float(margins[-1])
    for margin in margins[::-1]:
        if any(net_loss(logits, labels, float(margin)) > NET_LOSS * len(labels) for logits, labels in held_out):
            break
        chosen = float(margin)
    return round(chosen, 2)


def cost(again: float, full: int, small: int) -> float:
    """Returns the cost of a photo relative to one look at the full side; the cost of a look grows with the area.

    Args:
        again: Share of the photos that are looked at again.
        full: The full side (pixels).
        small: The side of the small look (pixels).
    """
    return (small / full) ** 2 + again


def net_loss(logits: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], margin: float) -> int:
    """Comparison the photos that a cascade gets wrong minus those that one look at the full side gets wrong.

    Args:
        logits: (n, 2), the full look's and the small look's.
        labels: (n,), 1 = food.
        margin: The cascade looks again below it.
    """
    food = labels == 1
    wrong_in_two = int(((combine(logits, margin) >= 0) != food).sum())
    return wrong_in_two - int(((logits[:, 0] >= 0) != food).sum())
