import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.training.conftest import Bundled
from tests.training.data.test_audit_report import AUDIT
from training.evaluation import comparison
from training.evaluation.metrics import expected_calibration_error
from training.evaluation.mistakes import Sheet
from training.evaluation.predictions import Judged
from training.evaluation.robustness import Row
from training.fitting.features import Unreadable
from training.report import report
from training.report.report import Findings

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = np.array([1, 0, 1, 0, 1])


@pytest.fixture
def judged(tmp_path: Path, bundled: Bundled) -> Judged:
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
    return Judged(bundled(temperature=2.0), "scripted", photos, 2 * logits, [])


def test_a_report_is_a_page_a_text_tables_and_figures(tmp_path: Path, judged: Judged) -> None:
    out = tmp_path / "out"
    out.mkdir()
    found = report.write(out, "validation", judged, Findings(), tmp_path / "data")
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
    assert json.loads((out / "metrics.json").read_text()) == found
    assert {name: found[name] for name in ("n", "accuracy", "confusion")} == {
        "n": 5,
        "accuracy": 0.6,
        "confusion": [[1, 1], [1, 2]],
    }
    assert found["ece"] == pytest.approx(expected_calibration_error(P_FOOD, LABELS, 0.5), abs=1e-6)
    assert found["ece_uncalibrated"] == pytest.approx(expected_calibration_error(judged.p_raw, LABELS, 0.5))
    assert (out / "classification_report.txt").read_text() == report.classification(P_FOOD, LABELS, 0.5)
    with Image.open(out / "confusion_matrix.png") as image:
        assert image.format == "PNG"
        assert np.asarray(image.convert("RGB")).std() > 20
    rows = (out / "mistakes.csv").read_text().splitlines()
    assert rows[1:] == ["0_<1>.jpg,non_food,0.8000,", "1_<2>.jpg,food,0.4000,"]


def test_chapters_appear_only_when_there_is_something_to_tell(judged: Judged, tmp_path: Path) -> None:
    def anchors(judged: Judged, findings: Findings) -> list[str]:
        found = report.summary(judged, findings)
        return [one.anchor for one in report.document("validation", judged, found, findings, tmp_path).sections]

    assert anchors(judged, Findings()) == ["figures", "curves", "sureness", "model"]
    sourced = dataclasses.replace(
        judged, photos=judged.photos.assign(source="web"), unreadable=[Unreadable("a", "empty", "no bytes")]
    )
    compared = comparison.compare(judged, judged, ("this", "that"))
    everything = Findings(
        robustness=[Row("grey", 0.8, (0.5, 0.9), 1)],
        engines=compared,
        against=compared,
        mistakes=Sheet([], None),
        audit=AUDIT,
        history=pd.DataFrame({"loss": [1.0], "val_loss": [1.0]}),
    )
    assert anchors(sourced, everything) == [
        "figures",
        "curves",
        "sureness",
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
    one_label = dataclasses.replace(judged, photos=judged.photos.assign(label=1))
    assert anchors(one_label, Findings()) == ["figures", "sureness", "model"]


def test_what_was_measured_beside_the_figures_is_in_the_json_too(judged: Judged) -> None:
    compared = comparison.compare(judged, judged, ("this", "that"))
    findings = Findings([Row("grey", 0.8, (0.5, 0.9), 1)], engines=compared, against=compared)
    found = json.loads(json.dumps(report.summary(judged, findings)))
    assert found["robustness"] == {"grey": {"accuracy": 0.8, "accuracy_ci95": [0.5, 0.9], "changed": 1}}
    assert found["engines"] == found["against"] == comparison.as_json(compared) | {"accuracy": [0.6, 0.6]}
    assert "against" not in report.summary(judged, Findings())


def test_the_text_names_both_classes_and_their_figures_at_the_threshold() -> None:
    lines = report.classification(P_FOOD, LABELS, 0.5).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.split()}
    assert rows["non_food"] == ["0.5000", "0.5000", "0.5000", "2"]
    assert rows["food"] == ["0.6667", "0.6667", "0.6667", "3"]
    assert rows["accuracy"] == ["0.6000", "5"]
    strict = report.classification(P_FOOD, LABELS, 0.85).splitlines()
    assert next(line.split()[1:] for line in strict if line.split()[:1] == ["food"]) == [
        "1.0000",
        "0.3333",
        "0.5000",
        "3",
    ]


def test_the_text_does_without_one_of_the_classes() -> None:
    text = report.classification(np.array([0.1, 0.2]), np.array([0, 0]), 0.5)
    assert "non_food     1.0000    1.0000    1.0000         2" in text


def test_photos_left_out_are_listed(tmp_path: Path) -> None:
    left_out = [Unreadable("a/1_1.jpg", "truncated", "ends, too early"), Unreadable("b/0_1.jpg", "empty", "no bytes")]
    report.write_unreadable(tmp_path / "out", left_out)
    with (tmp_path / "out/unreadable.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "kind", "message"], *map(list, left_out)]


def test_there_is_no_list_of_none(tmp_path: Path) -> None:
    report.write_unreadable(tmp_path / "out", [])
    assert not (tmp_path / "out").exists()
