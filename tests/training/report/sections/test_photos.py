import dataclasses
from pathlib import Path

from training.evaluation.mistakes import MistakeCard, MistakeGallery
from training.evaluation.predictions import Predictions
from training.evaluation.robustness import PERTURBATIONS, RobustnessResult
from training.fitting.features import UnreadablePhoto
from training.report import metrics_file
from training.report.sections import photos

ROOT = Path("/data")


def test_sources_are_a_table_when_they_are_known(predictions: Predictions) -> None:
    section = photos.sources_section(predictions)
    assert section is not None
    assert section.tables[0].rows == [
        ["web", "3", "66.7 %", "20.8 to 93.9 %", "1", "67 %"],
        ["unknown", "1", "0.0 %", "0.0 to 79.3 %", "1", "100 %"],
        [r"web\x0a<b>", "1", "100.0 %", "20.7 to 100.0 %", "0", "0 %"],
    ]
    unknown = dataclasses.replace(predictions, photos=predictions.photos.assign(source=""))
    assert photos.sources_section(unknown) is None


def test_robustness_is_shown_with_the_unperturbed_photos(predictions: Predictions) -> None:
    metrics = metrics_file.build(predictions)
    results = [RobustnessResult(name, 0.4, (0.1, 0.8), 3) for name in PERTURBATIONS]
    table = photos.robustness_section(metrics, results).tables[0]
    assert table.rows[0][:2] == ["unchanged", "60.0 %"]
    assert table.rows[1] == ["downscaled to 96 px", "40.0 %", "10.0 to 80.0 %", "−20.0", "3"]
    assert len(table.rows) == 8


def test_the_worst_mistakes_show_the_scale_of_their_activation_maps() -> None:
    card = MistakeCard("a.jpg", "food", 0.1, "", "data:", "data:")
    section = photos.mistakes_section(MistakeGallery([card], 1.25), 30)
    assert (
        "Photos with a wrong label: 30. mistakes.csv lists them. report.html shows the 1 worst" in section.paragraphs[0]
    )
    assert "the colours saturate at a logit of 1.2." in section.paragraphs[1]
    assert section.cards == [card]
    (paragraph,) = photos.mistakes_section(MistakeGallery([card], None), 1).paragraphs
    assert "report.html shows all of them" in paragraph
    assert photos.mistakes_section(MistakeGallery([], None), 0).paragraphs == ["None."]


def test_names_of_unreadable_photos_are_relative_and_escaped() -> None:
    section = photos.unreadable_section([UnreadablePhoto("/data/a\n.jpg", "empty", "no\x1b bytes")], ROOT)
    assert section.tables[0].rows == [[r"a\x0a.jpg", r"no\x1b bytes"]]


def test_a_long_table_is_truncated_and_says_so() -> None:
    section = photos.unreadable_section(
        [UnreadablePhoto(f"/data/{n}.jpg", "empty", "no bytes") for n in range(60)], ROOT
    )
    assert len(section.tables[0].rows) == 50
    assert section.tables[0].caption == "the first 50 of 60"
