import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training import report
from training.features import Unreadable
from training.metrics import metrics

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = np.array([1, 0, 1, 0, 1])


def test_a_report_is_figures_a_text_and_a_picture(tmp_path: Path) -> None:
    out = tmp_path / "made/here"
    figures = report.write(out, "evaluation", P_FOOD, LABELS, 0.5)
    assert {path.name for path in out.iterdir()} == {
        "metrics.json",
        "classification_report.txt",
        "confusion_matrix.png",
    }
    assert figures == metrics(P_FOOD, LABELS, 0.5)
    assert json.loads((out / "metrics.json").read_text()) == figures
    assert (out / "classification_report.txt").read_text() == report.classification(P_FOOD, LABELS, 0.5)


def test_a_brief_report_is_the_figures_alone(tmp_path: Path) -> None:
    figures = report.write(tmp_path / "out", "evaluation", P_FOOD, LABELS, 0.5, brief=True)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["metrics.json"]
    assert json.loads((tmp_path / "out/metrics.json").read_text()) == figures


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


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    report.draw_confusion(tmp_path / "one.png", metrics(P_FOOD, LABELS, 0.5), "evaluation")
    return tmp_path / "one.png"


def test_the_confusion_matrix_is_a_picture_with_something_on_it(drawn: Path) -> None:
    with Image.open(drawn) as image:
        assert image.format == "PNG"
        assert min(image.size) > 300
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.std() > 20
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20  # shades of blue and the edges of letters


def test_the_confusion_matrix_shows_the_figures(drawn: Path, tmp_path: Path) -> None:
    report.draw_confusion(tmp_path / "again.png", metrics(P_FOOD, LABELS, 0.5), "evaluation")
    report.draw_confusion(tmp_path / "other.png", metrics(P_FOOD, 1 - LABELS, 0.5), "evaluation")
    pixels = [np.asarray(Image.open(path)) for path in (drawn, tmp_path / "again.png", tmp_path / "other.png")]
    assert np.array_equal(pixels[0], pixels[1])
    assert not np.array_equal(pixels[0], pixels[2])


def test_photos_left_out_are_listed(tmp_path: Path) -> None:
    left_out = [Unreadable("a/1_1.jpg", "truncated", "ends, too early"), Unreadable("b/0_1.jpg", "empty", "no bytes")]
    report.write_unreadable(tmp_path / "out", left_out)
    with (tmp_path / "out/unreadable.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["path", "kind", "message"], *map(list, left_out)]


def test_there_is_no_list_of_none(tmp_path: Path) -> None:
    report.write_unreadable(tmp_path / "out", [])
    assert not (tmp_path / "out").exists()
