import dataclasses

import numpy as np

from tests.training.report.sections.conftest import LABELS, P_FOOD
from training.evaluation.metrics import metrics
from training.evaluation.predictions import Judged
from training.report.report import Findings, summary
from training.report.sections import quality


def test_headlines_are_the_figures_with_their_intervals() -> None:
    figures = metrics(P_FOOD, LABELS, 0.5)
    accuracy, area, *_ = quality.headlines(figures)
    assert accuracy == ("60.0 %", "right, of 5 photos", "23.1 to 88.2 %")
    assert area == ("0.6667", "ROC AUC", "{:.4f} to {:.4f}".format(*figures["roc_auc_ci95"]))
    alone = quality.headlines(metrics(np.array([0.2, 0.7]), [0, 0], 0.5))
    assert alone[1] == ("–", "ROC AUC", "")


def test_the_key_figures_say_how_many_are_wrong_and_repeat_the_classification_report(judged: Judged) -> None:
    figures = summary(judged, Findings())
    found = quality.key_figures(judged, figures, "validation")
    assert found.words[0].startswith(
        "Of 5 photos 2 get the wrong label: 1 of 2 others are called food, and 1 of 3 photos of food are missed."
    )
    assert found.tables[0].rows[0] == ["accuracy", "60.00 %", "23.07 to 88.24 %"]
    assert ["non_food", "0.5000", "0.5000", "0.5000", "2"] in found.tables[1].rows
    assert ["food", "0.6667", "0.6667", "0.6667", "3"] in found.tables[1].rows


def test_sureness_says_what_setting_aside_does(judged: Judged) -> None:
    words = " ".join(quality.sureness(judged, summary(judged, Findings())).words)
    # Decided are 0.9 and 0.8, of which the second is wrong.
    assert "(P(food) strictly between 0.2000 and 0.8000), 60.0 % are set aside, and of the others 50.00 % get" in words


def test_curves_need_both_labels(judged: Judged) -> None:
    found = quality.ranking(judged)
    assert found is not None
    assert [drawing.file for drawing in found.drawings] == ["roc.svg", "precision_recall.svg"]
    food = dataclasses.replace(judged, photos=judged.photos.assign(label=1))
    assert quality.ranking(food) is None
