import dataclasses
from pathlib import Path

from training.evaluation.mistakes import Card, Sheet
from training.evaluation.predictions import Judged
from training.evaluation.robustness import DISTURBANCES, Row
from training.fitting.features import Unreadable
from training.report.report import Findings, summary
from training.report.sections import photos

ROOT = Path("/data")


def test_sources_are_a_table_when_they_are_known(judged: Judged) -> None:
    found = photos.by_source(judged)
    assert found is not None
    assert found.tables[0].rows == [
        ["web", "3", "66.7 %", "20.8 to 93.9 %", "1", "67 %"],
        ["unknown", "1", "0.0 %", "0.0 to 79.3 %", "1", "100 %"],
        [r"web\x0a<b>", "1", "100.0 %", "20.7 to 100.0 %", "0", "0 %"],
    ]
    unknown = dataclasses.replace(judged, photos=judged.photos.assign(source=""))
    assert photos.by_source(unknown) is None


def test_robustness_is_told_beside_the_photos_as_they_are(judged: Judged) -> None:
    figures = summary(judged, Findings())
    rows = [Row(name, 0.4, (0.1, 0.8), 3) for name in DISTURBANCES]
    table = photos.disturbed(figures, rows).tables[0]
    assert table.rows[0][:2] == ["as they are", "60.0 %"]
    assert table.rows[1] == ["96 px and back", "40.0 %", "10.0 to 80.0 %", "−20.0", "3"]
    assert len(table.rows) == 8


def test_the_worst_mistakes_tell_the_scale_of_their_maps() -> None:
    card = Card("a.jpg", "food", 0.1, "", "data:", "data:")
    found = photos.worst(Sheet([card], 1.25), 30)
    assert "30 photos get the wrong label; mistakes.csv lists them. report.html shows the 1 worst" in found.words[0]
    assert "the colour is fullest from 1.2 of logit on" in found.words[1]
    assert found.cards == [card]
    (words,) = photos.worst(Sheet([card], None), 1).words
    assert "report.html shows them all" in words
    assert photos.worst(Sheet([], None), 0).words == ["None."]


def test_photos_left_out_are_named_safely_from_the_data_sets_folder() -> None:
    found = photos.left_out([Unreadable("/data/a\n.jpg", "empty", "no\x1b bytes")], ROOT)
    assert found.tables[0].rows == [[r"a\x0a.jpg", r"no\x1b bytes"]]


def test_a_long_table_ends_early_and_says_so() -> None:
    found = photos.left_out([Unreadable(f"/data/{n}.jpg", "empty", "no bytes") for n in range(60)], ROOT)
    assert len(found.tables[0].rows) == 50
    assert found.tables[0].note == "the first 50 of 60"
