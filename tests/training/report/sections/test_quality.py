import dataclasses

import numpy as np

from tests.training.report.sections.conftest import LABELS, P_FOOD
from training.evaluation.metrics import compute_metrics
from training.evaluation.predictions import Predictions
from training.report import metrics_file
from training.report.sections import quality


def test_headlines_are_the_metrics_with_their_intervals() -> None:
    metrics = compute_metrics(P_FOOD, LABELS, 0.5)
    accuracy, roc_auc, *_ = quality.headlines(metrics)
    assert accuracy == ("60.0 %", "accuracy on 5 photos", "23.1 to 88.2 %")
    assert roc_auc == ("0.6667", "ROC AUC", "{:.4f} to {:.4f}".format(*(metrics["roc_auc_ci95"] or ())))
    one_label = quality.headlines(compute_metrics(np.array([0.2, 0.7]), [0, 0], 0.5))
    assert one_label[1] == ("–", "ROC AUC", "")


def test_the_metrics_section_counts_the_mistakes_and_has_the_classification_report(predictions: Predictions) -> None:
    metrics = metrics_file.build(predictions)
    section = quality.metrics_section(predictions, metrics, "validation")
    assert section.paragraphs[0].startswith(
        "The model labels 2 of 5 photos wrongly: 1 of 2 photos of non_food are called food, and 1 of 3 photos of food"
    )
    assert section.tables[0].rows[0] == ["accuracy", "60.00 %", "23.07 to 88.24 %"]
    assert ["non_food", "0.5000", "0.5000", "0.5000", "2"] in section.tables[1].rows
    assert ["food", "0.6667", "0.6667", "0.6667", "3"] in section.tables[1].rows


def test_the_calibration_section_shows_the_effect_of_setting_photos_aside(predictions: Predictions) -> None:
    text = " ".join(quality.calibration_section(predictions, metrics_file.build(predictions)).paragraphs)
    # Decided are 0.9 and 0.8, of which the second is wrong.
    assert (
        "(P(food) strictly between 0.2000 and 0.8000), 60.0 % of the photos are set aside. Of the others, 50.00 % get"
        in text
    )


def test_curves_need_both_labels(predictions: Predictions) -> None:
    section = quality.curves_section(predictions)
    assert section is not None
    assert [figure.file for figure in section.figures] == ["roc.svg", "precision_recall.svg"]
    food = dataclasses.replace(predictions, photos=predictions.photos.assign(label=1))
    assert quality.curves_section(food) is None
