"""Figures that say how good a model is on labelled photos."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from models.decision import Floats
from models.intervals import wilson_interval
from training.evaluation import bootstrap

ECE_BINS = 15
_BOOTSTRAPPED = ("precision", "recall", "f1", "roc_auc", "ece")


def metrics(p_food: Floats, labels: npt.ArrayLike, threshold: float) -> dict[str, Any]:
    """The contents of `metrics.json` for calibrated P(food) (n,) and labels (n,), 1 = food; food is the positive class.

    Each `…_ci95` is a 95 % interval [low, high]: Wilson's for accuracy, by bootstrap for the others.
    """
    truth = np.asarray(labels)
    predicted = (p_food >= threshold).astype(int)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0.0)
    right = int((predicted == truth).sum())
    return {
        "n": len(truth),
        "accuracy": right / len(truth),
        "accuracy_ci95": list(wilson_interval(right, len(truth))),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": float(roc_auc_score(truth, p_food)) if len(set(truth)) == 2 else None,
        "ece": expected_calibration_error(p_food, truth, threshold),
        **_intervals(p_food, truth, threshold),
        "confusion": confusion_matrix(truth, predicted, labels=[0, 1]).tolist(),
        "threshold": threshold,
    }


def expected_calibration_error(p_food: Floats, labels: npt.ArrayLike, threshold: float, bins: int = ECE_BINS) -> float:
    """ECE of the confidence in the predicted label, over bins of equal mass (Nixon et al. 2019)."""
    return float(_calibration_errors(p_food[None], np.asarray(labels)[None], threshold, bins)[0])


def _calibration_errors(p_food: Floats, labels: npt.NDArray[Any], threshold: float, bins: int = ECE_BINS) -> Floats:
    """The ECE (b,) of each row of P(food) and labels (b, n)."""
    predicted = p_food >= threshold
    confidence = np.where(predicted, p_food, 1 - p_food)
    order = np.argsort(confidence, axis=1, kind="stable")
    # Of a bin, its size times |share right − mean confidence| is the absolute sum of (right − confidence).
    excess = np.take_along_axis((predicted == (labels == 1)) - confidence, order, axis=1)
    parts = np.array_split(excess, bins, axis=1)
    return np.asarray(sum(np.abs(part.sum(axis=1)) for part in parts) / p_food.shape[1])


def _intervals(p_food: Floats, labels: npt.NDArray[Any], threshold: float) -> dict[str, list[float] | None]:
    """The 95 % intervals by their names in `metrics.json`; None for a figure that has no value."""

    def figures(p_food: Floats, labels: npt.NDArray[Any]) -> Floats:
        return _vectorised(p_food, labels, threshold)

    found = bootstrap.intervals(figures, p_food, labels)
    return {
        f"{name}_ci95": None if np.isnan(interval).any() else interval.tolist()
        for name, interval in zip(_BOOTSTRAPPED, found, strict=True)
    }


def _vectorised(p_food: Floats, labels: npt.NDArray[Any], threshold: float) -> Floats:
    """The figures of `_BOOTSTRAPPED`, (5, b), of each row of P(food) and labels (b, n): scikit-learn's, but all at once."""
    food, called = labels == 1, p_food >= threshold
    both, foods, calls = (food & called).sum(axis=1), food.sum(axis=1), called.sum(axis=1)
    others = food.shape[1] - foods
    # The share of pairs (food, other) in the right order, from the ranks (Mann and Whitney 1947).
    pairs = (rankdata(p_food, axis=1) * food).sum(axis=1) - foods * (foods + 1) / 2
    with np.errstate(invalid="ignore"):  # a draw of one label alone has no AUC
        area = pairs / (foods * others)
    return np.stack(
        [
            both / np.maximum(calls, 1),
            both / np.maximum(foods, 1),
            2 * both / np.maximum(calls + foods, 1),
            area,
            _calibration_errors(p_food, labels, threshold),
        ]
    )
