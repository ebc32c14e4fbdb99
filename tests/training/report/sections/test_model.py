from pathlib import Path

import pandas as pd

from tests.training.data.audit import AUDIT
from training.evaluation.comparison import compare
from training.evaluation.predictions import Predictions
from training.report.sections import model

ROOT = Path("/data")


def test_a_comparison_lists_the_photos_that_the_two_models_label_differently(
    predictions: Predictions, better: Predictions
) -> None:
    section = model.comparison_section(compare(predictions, better, ("mine", "yours")), ROOT)
    assert section.paragraphs[0].startswith(
        "Model A is mine; model B is yours. On 5 photos the accuracy of A is 60.00 % and that of B is 80.00 %."
    )
    assert "with probability p = 1 (McNemar's exact test)" in section.paragraphs[0]
    assert section.tables[0].rows == [["3", "0", "1", "1", "1"]]
    assert section.tables[1].rows == [["b.jpg", "non_food", "0.800", "0.100"]]


def test_the_engines_are_compared_by_name(predictions: Predictions, better: Predictions) -> None:
    section = model.engines_section(compare(predictions, better, ("tensorflow cpu", "openvino int8 CPU X")))
    assert "They label 1 of these 5 photos differently" in section.paragraphs[0]
    assert "P(food) differs by at most 0.700" in section.paragraphs[0]
    assert section.tables[0].rows == [["tensorflow cpu", "60.00 %"], ["openvino int8 CPU X", "80.00 %"]]


def test_the_audit_is_shown_with_its_warnings() -> None:
    section = model.audit_section(AUDIT)
    assert section.paragraphs[0].startswith(
        "The audit before the training found 1 unreadable photo, 1 exact duplicate and 1 near-duplicate. Removed from "
        "training because of a duplicate in another split: 1 photo."
    )
    assert section.paragraphs[1] == "25 % of the photos come from sources with one label only."
    assert section.tables[0].rows[0] == ["training", "3", "4"]
    assert section.tables[1].rows == [["colour", "72.0 %", "62.0 to 80.0 %", "50.0 %", "0.44", "no"]]
    assert section.paragraphs[0].endswith("3 files are no labelled photos and left out. audit.json lists them all.")
    assert section.bullets == [
        "Warning: something is wrong",
        "Left out, no label in the name: 2 files",
        "Left out, hidden: 1 file",
        "Note: x/manifest.csv is ignored",
    ]


def test_the_training_is_shown_with_its_history() -> None:
    section = model.training_section(pd.DataFrame({"loss": [1.0, 0.5], "val_loss": [1.0, 0.6]}))
    assert section.paragraphs == ["2 epochs."]
    assert [figure.file for figure in section.figures] == ["history.svg"]
