import json
from typing import Any, cast

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

from training.evaluation import metrics as metrics_module
from training.evaluation.metrics import compute_metrics, expected_calibration_error

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = [1, 0, 1, 0, 1]


def test_the_metrics_of_five_photos_are_those_counted_by_hand() -> None:
    metrics = compute_metrics(P_FOOD, LABELS, 0.5)
    assert metrics["n"] == 5
    assert metrics["accuracy"] == 3 / 5
    assert metrics["confusion"] == [[1, 1], [1, 2]]  # [[TN, FP], [FN, TP]]
    assert metrics["precision"] == pytest.approx(2 / 3)
    assert metrics["recall"] == pytest.approx(2 / 3)
    assert metrics["f1"] == pytest.approx(2 / 3)
    assert metrics["roc_auc"] == pytest.approx(4 / 6)  # of six pairs, 0.4 and 0.6 are below the 0.8 that is no food
    assert metrics["accuracy_ci95"] == pytest.approx([0.2307, 0.8824], abs=1e-4)
    assert metrics["ece"] == pytest.approx((0.1 + 0.8 + 0.6 + 0.3 + 0.4) / 5)  # each photo is a bin of its own
    assert metrics["threshold"] == 0.5


def test_the_metrics_are_scikit_learns() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 2, 500)
    p_food = np.clip(0.3 + 0.4 * truth + random.normal(0, 0.3, 500), 0, 1)
    metrics = compute_metrics(p_food, truth, 0.6)
    predicted = (p_food >= 0.6).astype(int)
    assert metrics["accuracy"] == pytest.approx((predicted == truth).mean())
    assert metrics["precision"] == pytest.approx(precision_score(truth, predicted))
    assert metrics["recall"] == pytest.approx(recall_score(truth, predicted))
    assert metrics["f1"] == pytest.approx(f1_score(truth, predicted))
    assert metrics["roc_auc"] == pytest.approx(roc_auc_score(truth, p_food))
    assert np.trace(metrics["confusion"]) == (predicted == truth).sum()
    assert metrics["confusion"][0][1] == ((predicted == 1) & (truth == 0)).sum()


def test_a_photo_at_the_threshold_is_food() -> None:
    assert compute_metrics(np.array([0.7, 0.69]), [1, 0], 0.7)["confusion"] == [[1, 0], [0, 1]]


def test_the_metrics_are_json_with_all_required_keys() -> None:
    required = {
        "n",
        "accuracy",
        "accuracy_ci95",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "ece",
        "confusion",
        "threshold",
    }
    metrics = compute_metrics(P_FOOD.astype(np.float64), np.array(LABELS), 0.5)
    assert required <= set(metrics)
    assert json.loads(json.dumps(metrics)) == metrics


def test_one_label_only_has_no_roc_auc() -> None:
    metrics = compute_metrics(np.array([0.2, 0.7]), [0, 0], 0.5)
    assert metrics["roc_auc"] is None
    assert metrics["confusion"] == [[1, 1], [0, 0]]


def test_precision_is_zero_when_nothing_is_called_food() -> None:
    metrics = compute_metrics(np.array([0.2, 0.3]), [0, 1], 0.5)
    assert (metrics["precision"], metrics["recall"], metrics["f1"]) == (0.0, 0.0, 0.0)


def test_the_calibration_error_is_the_gap_between_confidence_and_accuracy_in_bins_of_equal_mass() -> None:
    p_food = np.array([0.6, 0.9, 0.6, 0.1, 0.9, 0.6])
    # Three photos of confidence 0.6 are right once: 0.6 − 1/3. Three of confidence 0.9 are right three times.
    labels = [1, 1, 0, 0, 1, 0]
    expected = (abs(1 / 3 - 0.6) + abs(1 - 0.9)) / 2
    assert expected_calibration_error(p_food, labels, 0.5, bins=2) == pytest.approx(expected)


def test_the_calibration_error_does_not_prefer_a_label() -> None:
    random = np.random.default_rng(3)
    p_food, labels = random.random(300), random.integers(0, 2, 300)
    mirrored = expected_calibration_error(1 - p_food, 1 - labels, 0.5)
    assert expected_calibration_error(p_food, labels, 0.5) == pytest.approx(mirrored)


def test_true_probabilities_have_a_small_calibration_error_and_overconfident_ones_a_large_one() -> None:
    random = np.random.default_rng(2)
    p_food = random.random(20_000)
    labels = (random.random(20_000) < p_food).astype(int)
    assert expected_calibration_error(p_food, labels, 0.5) < 0.02
    overconfident = np.where(p_food >= 0.5, 0.99, 0.01)
    assert expected_calibration_error(overconfident, labels, 0.5) == pytest.approx(0.99 - 0.75, abs=0.02)


def test_resampled_metrics_equal_those_of_scikit_learn() -> None:
    random = np.random.default_rng(5)
    truth = random.integers(0, 2, (3, 200))
    p_food = np.clip(0.3 + 0.4 * truth + random.normal(0, 0.3, (3, 200)), 0, 1).round(1)  # with ties
    resampled = metrics_module._resampled_metrics(p_food, truth, 0.6)
    for column in range(3):
        metrics = compute_metrics(p_food[column], truth[column], 0.6)
        expected = [metrics["precision"], metrics["recall"], metrics["f1"], metrics["roc_auc"], metrics["ece"]]
        assert resampled[:, column] == pytest.approx(expected)


def test_each_metric_is_in_its_interval_and_fewer_photos_widen_it() -> None:
    random = np.random.default_rng(6)
    truth = random.integers(0, 2, 1000)
    p_food = np.clip(0.3 + 0.4 * truth + random.normal(0, 0.3, 1000), 0, 1)
    many = cast(dict[str, Any], compute_metrics(p_food, truth, 0.5))
    few = cast(dict[str, Any], compute_metrics(p_food[:100], truth[:100], 0.5))
    for name in ("precision", "recall", "f1", "roc_auc"):
        low, high = many[f"{name}_ci95"]
        assert 0 <= low < many[name] < high <= 1
        assert few[f"{name}_ci95"][1] - few[f"{name}_ci95"][0] > 2 * (high - low)
    assert many["ece_ci95"][0] < many["ece"] < many["ece_ci95"][1]


def test_one_label_only_has_no_interval_of_the_roc_auc() -> None:
    metrics = compute_metrics(np.array([0.2, 0.7]), [0, 0], 0.5)
    assert metrics["roc_auc_ci95"] is None
    assert metrics["recall_ci95"] == [0.0, 0.0]
