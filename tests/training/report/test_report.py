import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.training.conftest import Bundled
from tests.training.data.audit import AUDIT
from training.evaluation import comparison
from training.evaluation.metrics import expected_calibration_error
from training.evaluation.mistakes import MistakeGallery
from training.evaluation.predictions import Predictions
from training.evaluation.robustness import RobustnessResult
from training.fitting.features import UnreadablePhoto
from training.report import metrics_file, report
from training.report.report import AdditionalResults

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = np.array([1, 0, 1, 0, 1])


@pytest.fixture
def predictions(tmp_path: Path, bundled: Bundled) -> Predictions:
    """Five photos, of which the second and third get the wrong label."""
    photos = pd.DataFrame(
        {
            "path": [str(tmp_path / f"data/{label}_<{number}>.jpg") for number, label in enumerate(LABELS)],
            "label": LABELS,
            "split": "validation",
            "source": "",
        }
    )
    logits = np.log(P_FOOD / (1 - P_FOOD)).astype(np.float32)
    return Predictions(bundled(temperature=2.0), "scripted", photos, 2 * logits, np.full(len(photos), 64), [])


def test_a_report_has_html_markdown_tables_and_figures(tmp_path: Path, predictions: Predictions) -> None:
    out = tmp_path / "out"
    out.mkdir()
    metrics = report.write(out, predictions, AdditionalResults(), split="validation", root=tmp_path / "data")
    assert {path.name for path in out.iterdir()} == {
        "classification_report.txt",
        "confusion_matrix.png",
        "metrics.json",
        "mistakes.csv",
        "precision_recall.svg",
        "reliability.svg",
        "report.html",
        "report.md",
        "risk_coverage.svg",
        "roc.svg",
    }
    assert json.loads((out / "metrics.json").read_text()) == metrics
    assert (metrics["n"], metrics["accuracy"], metrics["confusion"]) == (5, 0.6, [[1, 1], [1, 2]])
    assert metrics["ece"] == pytest.approx(expected_calibration_error(P_FOOD, LABELS, 0.5), abs=1e-6)
    assert metrics["ece_uncalibrated"] == pytest.approx(
        expected_calibration_error(predictions.p_uncalibrated, LABELS, 0.5)
    )
    assert (out / "classification_report.txt").read_text() == report.classification_text(P_FOOD, LABELS, 0.5)
    with Image.open(out / "confusion_matrix.png") as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("RGB")).std() > 20
    rows = (out / "mistakes.csv").read_text().splitlines()
    assert rows[1:] == ["0_<1>.jpg,non_food,0.8000,", "1_<2>.jpg,food,0.4000,"]


def test_optional_sections_appear_only_with_results(predictions: Predictions, tmp_path: Path) -> None:
    def anchors(predictions: Predictions, results: AdditionalResults) -> list[str]:
        metrics = metrics_file.build(predictions)
        document = report.document(predictions, results, metrics, split="validation", root=tmp_path)
        return [section.anchor for section in document.sections]

    assert anchors(predictions, AdditionalResults()) == ["metrics", "curves", "calibration", "model"]
    with_sources = dataclasses.replace(
        predictions,
        photos=predictions.photos.assign(source="web"),
        unreadable=[UnreadablePhoto("a", "empty", "no bytes")],
    )
    comparison_result = comparison.compare(predictions, predictions, ("this", "that"))
    everything = AdditionalResults(
        robustness=[RobustnessResult("grey", 0.8, (0.5, 0.9), 1)],
        engines=comparison_result,
        against=comparison_result,
        mistakes=MistakeGallery([], None),
        audit=AUDIT,
        history=pd.DataFrame({"loss": [1.0], "val_loss": [1.0]}),
    )
    assert anchors(with_sources, everything) == [
        "metrics",
        "curves",
        "calibration",
        "mistakes",
        "robustness",
        "sources",
        "against",
        "engines",
        "audit",
        "history",
        "unreadable",
        "model",
    ]
    one_label = dataclasses.replace(predictions, photos=predictions.photos.assign(label=1))
    assert anchors(one_label, AdditionalResults()) == ["metrics", "calibration", "model"]


def test_additional_results_are_in_the_json(predictions: Predictions) -> None:
    comparison_result = comparison.compare(predictions, predictions, ("this", "that"))
    grey = RobustnessResult("grey", 0.8, (0.5, 0.9), 1)
    metrics = metrics_file.build(
        predictions, robustness_results=[grey], engines=comparison_result, against=comparison_result
    )
    contents = json.loads(json.dumps(metrics))
    assert contents["robustness"] == {"grey": {"accuracy": 0.8, "accuracy_ci95": [0.5, 0.9], "changed": 1}}
    assert (
        contents["engines"] == contents["against"] == comparison.as_json(comparison_result) | {"accuracy": [0.6, 0.6]}
    )
    assert "against" not in metrics_file.build(predictions)


def test_the_classification_report_has_both_classes_at_the_threshold() -> None:
    lines = report.classification_text(P_FOOD, LABELS, 0.5).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert rows["non_food"] == ["0.5000", "0.5000", "0.5000", "2"]
    assert rows["food"] == ["0.6667", "0.6667", "0.6667", "3"]
    assert rows["accuracy"] == ["0.6000", "5"]
    strict = report.classification_text(P_FOOD, LABELS, 0.85).splitlines()
    assert next(line.split()[1:] for line in strict if line.split()[:1] == ["food"]) == [
        "1.0000",
        "0.3333",
        "0.5000",
        "3",
    ]


def test_the_classification_report_works_with_one_class() -> None:
    text = report.classification_text(np.array([0.1, 0.2]), np.array([0, 0]), 0.5)
    assert "non_food     1.0000    1.0000    1.0000         2" in text


def test_unreadable_photos_are_listed(tmp_path: Path) -> None:
    unreadable = [
        UnreadablePhoto("a/1_1.jpg", "truncated", "ends, too early"),
        UnreadablePhoto("b/0_1.jpg", "empty", "no bytes"),
    ]
    report.write_unreadable(tmp_path / "out", unreadable)
    with (tmp_path / "out/unreadable.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "kind", "message"], *map(list, unreadable)]


def test_without_unreadable_photos_there_is_no_list(tmp_path: Path) -> None:
    report.write_unreadable(tmp_path / "out", [])
    assert not (tmp_path / "out").exists()
