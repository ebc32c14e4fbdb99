"""Figures that say how good a model is on labelled photos."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, roc_auc_score

from models.decision import Floats

ECE_BINS = 15


def metrics(p_food: Floats, labels: npt.ArrayLike, threshold: float) -> dict[str, Any]:
    """The contents of `metrics.json` for calibrated P(food) (n,) and labels (n,), 1 = food; food is the positive class."""
    truth = np.asarray(labels)
    predicted = (p_food >= threshold).astype(int)
    precision, recall, f1, _ = precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0.0)
    right = int((predicted == truth).sum())
    return {
        "n": len(truth),
        "accuracy": right / len(truth),
        "accuracy_ci95": list(wilson(right, len(truth))),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "roc_auc": float(roc_auc_score(truth, p_food)) if len(set(truth)) == 2 else None,
        "ece": expected_calibration_error(p_food, truth, threshold),
        "confusion": confusion_matrix(truth, predicted, labels=[0, 1]).tolist(),
        "threshold": threshold,
    }


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927), clipped to [0, 1]."""
    z = float(norm.ppf(0.5 + level / 2))
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def expected_calibration_error(p_food: Floats, labels: npt.ArrayLike, threshold: float, bins: int = ECE_BINS) -> float:
    """ECE of the confidence in the predicted label, over bins of equal mass (Nixon et al. 2019)."""
    predicted = p_food >= threshold
    confidence = np.where(predicted, p_food, 1 - p_food)
    right = predicted == (np.asarray(labels) == 1)
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(part) * abs(right[part].mean() - confidence[part].mean()) for part in parts]
    return float(sum(gaps) / len(order))
