"""Metrics of a model on labelled photos."""

from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from models.decision import Floats
from models.intervals import wilson_interval
from training.evaluation import bootstrap

ECE_BINS = 15
_BOOTSTRAPPED = ("precision", "recall", "f1", "roc_auc", "ece")

Interval = list[float]
"""Lower and upper end of a 95 % interval."""


class Metrics(TypedDict):
    """The metrics of `metrics.json`. Food is the positive class; a metric or an interval without a value is None.

    Attributes:
        n: Number of photos.
        roc_auc: None with one label only.
        ece: Expected calibration error.
        confusion: [[TN, FP], [FN, TP]].
        threshold: P(food) at or above which a photo is predicted to be food.
    """

    n: int
    accuracy: float
    accuracy_ci95: Interval
    precision: float
    recall: float
    f1: float
    roc_auc: float | None
    ece: float
    precision_ci95: Interval | None
    recall_ci95: Interval | None
    f1_ci95: Interval | None
    roc_auc_ci95: Interval | None
    ece_ci95: Interval | None
    confusion: list[list[int]]
    threshold: float


def compute_metrics(p_food: Floats, labels: npt.ArrayLike, threshold: float) -> Metrics:
    """Computes the metrics and their 95 % intervals: Wilson's for the accuracy, by bootstrap for the others.

    Args:
        p_food: Calibrated P(food) (n,).
        labels: (n,), 1 = food.
        threshold: P(food) at or above which a photo is predicted to be food.
    """
    truth = np.asarray(labels)
    predicted = (p_food >= threshold).astype(int)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0.0)
    right = int((predicted == truth).sum())
    intervals = _bootstrap_intervals(p_food, truth, threshold)
    return Metrics(
        n=len(truth),
        accuracy=right / len(truth),
        accuracy_ci95=list(wilson_interval(right, len(truth))),
        precision=float(precision),
        recall=float(recall),
        f1=float(f1),
        roc_auc=float(roc_auc_score(truth, p_food)) if len(set(truth)) == 2 else None,
        ece=expected_calibration_error(p_food, truth, threshold),
        precision_ci95=intervals["precision"],
        recall_ci95=intervals["recall"],
        f1_ci95=intervals["f1"],
        roc_auc_ci95=intervals["roc_auc"],
        ece_ci95=intervals["ece"],
        confusion=confusion_matrix(truth, predicted, labels=[0, 1]).tolist(),
        threshold=threshold,
    )


def expected_calibration_error(p_food: Floats, labels: npt.ArrayLike, threshold: float, bins: int = ECE_BINS) -> float:
    """Returns the ECE of the confidence in the predicted label, over bins of equal mass (Nixon et al. 2019)."""
    return float(_calibration_errors(p_food[None], np.asarray(labels)[None], threshold, bins)[0])


def _calibration_errors(p_food: Floats, labels: npt.NDArray[Any], threshold: float, bins: int = ECE_BINS) -> Floats:
    """The ECE (b,) of each row of P(food) and labels (b, n)."""
    predicted = p_food >= threshold
    confidence = np.where(predicted, p_food, 1 - p_food)
    order = np.argsort(confidence, axis=1, kind="stable")
    # For a bin, size × |accuracy − mean confidence| equals |sum of (right − confidence)|.
    excess = np.take_along_axis((predicted == (labels == 1)) - confidence, order, axis=1)
    bin_errors = (np.abs(part.sum(axis=1)) for part in np.array_split(excess, bins, axis=1))
    return np.asarray(sum(bin_errors) / p_food.shape[1])


def _bootstrap_intervals(p_food: Floats, labels: npt.NDArray[Any], threshold: float) -> dict[str, Interval | None]:
    """The 95 % interval of each metric of `_BOOTSTRAPPED`; None if it has no value."""

    def statistic(p_food: Floats, labels: npt.NDArray[Any]) -> Floats:
        return _resampled_metrics(p_food, labels, threshold)

    intervals = bootstrap.percentile_intervals(statistic, p_food, labels)
    return {
        name: None if np.isnan(interval).any() else interval.tolist()
        for name, interval in zip(_BOOTSTRAPPED, intervals, strict=True)
    }


def _resampled_metrics(p_food: Floats, labels: npt.NDArray[Any], threshold: float) -> Floats:
    """The metrics of `_BOOTSTRAPPED`, (5, b), of each row of P(food) and labels (b, n): scikit-learn's, vectorized."""
    food = labels == 1
    predicted = p_food >= threshold
    true_positives = (food & predicted).sum(axis=1)
    positives = food.sum(axis=1)
    predicted_positives = predicted.sum(axis=1)
    negatives = food.shape[1] - positives
    # The share of (food, non_food) pairs in the right order, from the ranks (Mann and Whitney 1947).
    ordered_pairs = (rankdata(p_food, axis=1) * food).sum(axis=1) - positives * (positives + 1) / 2
    with np.errstate(invalid="ignore"):  # a sample with one label only has no AUC
        roc_auc = ordered_pairs / (positives * negatives)
    return np.stack(
        [
            true_positives / np.maximum(predicted_positives, 1),
            true_positives / np.maximum(positives, 1),
            2 * true_positives / np.maximum(predicted_positives + positives, 1),
            roc_auc,
            _calibration_errors(p_food, labels, threshold),
        ]
    )
