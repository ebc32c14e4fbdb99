"""The contents of `metrics.json`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NotRequired, cast

from training.evaluation import comparison, robustness
from training.evaluation.comparison import Comparison, ComparisonMetrics
from training.evaluation.metrics import Metrics, compute_metrics, expected_calibration_error
from training.evaluation.predictions import Predictions
from training.evaluation.robustness import RobustnessMetrics, RobustnessResult


class MetricsFile(Metrics):
    """The contents of `metrics.json`.

    Attributes:
        ece_uncalibrated: Expected calibration error at temperature 1.
        robustness: Accuracy by perturbation.
        engines: The float32 model (first) and the 8-bit model (second).
        against: This bundle (first) and another one (second).
    """

    ece_uncalibrated: float
    robustness: NotRequired[dict[str, RobustnessMetrics]]
    engines: NotRequired[ComparisonMetrics]
    against: NotRequired[ComparisonMetrics]


def build(
    predictions: Predictions,
    *,
    robustness_results: Sequence[RobustnessResult] = (),
    engines: Comparison | None = None,
    against: Comparison | None = None,
) -> MetricsFile:
    """Computes the contents of `metrics.json`.

    Args:
        predictions: The predictions for a split.
        robustness_results: One for each perturbation, if measured.
        engines: Comparison of the float32 and the 8-bit model, if measured.
        against: Comparison with another bundle, if measured.
    """
    labels = predictions.labels
    threshold = predictions.threshold
    metrics = compute_metrics(predictions.p_food, labels, threshold)
    ece_uncalibrated = expected_calibration_error(predictions.p_uncalibrated, labels, threshold)
    contents = cast(MetricsFile, {**metrics, "ece_uncalibrated": ece_uncalibrated})
    if robustness_results:
        contents["robustness"] = robustness.as_json(robustness_results)
    if engines is not None:
        contents["engines"] = comparison.as_json(engines)
    if against is not None:
        contents["against"] = comparison.as_json(against)
    return contents


def write(out: Path, contents: MetricsFile) -> None:
    """Writes `metrics.json` to the folder `out`."""
    (out / "metrics.json").write_text(json.dumps(contents, indent=2) + "\n")
