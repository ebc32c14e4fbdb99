import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.bundle import NETWORK
from models.decision import Floats, Thresholds
from models.images import Fit
from tests.training.conftest import Bundled
from tests.training.test_findings import AUDIT
from training import sections
from training.comparison import compare
from training.features import Unreadable
from training.judged import Judged
from training.metrics import metrics
from training.mistakes import Card, Sheet
from training.report import Findings, summary
from training.robustness import DISTURBANCES, Row

P_FOOD = np.array([0.9, 0.8, 0.4, 0.3, 0.6])
LABELS = [1, 0, 1, 0, 1]
ROOT = Path("/data")


def run(bundled: Bundled, p_food: Floats = P_FOOD) -> Judged:
    photos = pd.DataFrame(
        {
            "path": [f"/data/{name}.jpg" for name in "abcde"],
            "label": LABELS,
            "split": "validation",
            "source": ["web", "web", "", "web\n<b>", "web"],
        }
    )
    return Judged(bundled(), "scripted", photos, np.log(p_food / (1 - p_food)).astype(np.float32), [])


@pytest.fixture
def judged(bundled: Bundled) -> Judged:
    """Of five photos the second and third get the wrong label."""
    return run(bundled)


def test_headlines_are_the_figures_with_their_intervals() -> None:
    figures = metrics(P_FOOD, LABELS, 0.5)
    accuracy, area, *_ = sections.headlines(figures)
    assert accuracy == ("60.0 %", "right, of 5 photos", "23.1 to 88.2 %")
    assert area == ("0.6667", "ROC AUC", "{:.4f} to {:.4f}".format(*figures["roc_auc_ci95"]))
    alone = sections.headlines(metrics(np.array([0.2, 0.7]), [0, 0], 0.5))
    assert alone[1] == ("–", "ROC AUC", "")


def test_the_key_figures_say_how_many_are_wrong_and_repeat_the_classification_report(judged: Judged) -> None:
    figures = summary(judged, Findings())
    found = sections.key_figures(judged, figures, "validation")
    assert found.words[0].startswith(
        "Of 5 photos 2 get the wrong label: 1 of 2 others are called food, and 1 of 3 photos of food are missed."
    )
    assert found.tables[0].rows[0] == ["accuracy", "60.00 %", "23.07 to 88.24 %"]
    assert ["non_food", "0.5000", "0.5000", "0.5000", "2"] in found.tables[1].rows
    assert ["food", "0.6667", "0.6667", "0.6667", "3"] in found.tables[1].rows


def test_sureness_says_what_setting_aside_does(judged: Judged) -> None:
    words = " ".join(sections.sureness(judged, summary(judged, Findings())).words)
    # Decided are 0.9 and 0.8, of which the second is wrong.
    assert "(P(food) strictly between 0.2000 and 0.8000), 60.0 % are set aside, and of the others 50.00 % get" in words


def test_sources_are_a_table_when_they_are_known(judged: Judged) -> None:
    found = sections.by_source(judged)
    assert found is not None
    assert found.tables[0].rows == [
        ["web", "3", "66.7 %", "20.8 to 93.9 %", "1", "67 %"],
        ["unknown", "1", "0.0 %", "0.0 to 79.3 %", "1", "100 %"],
        [r"web\x0a<b>", "1", "100.0 %", "20.7 to 100.0 %", "0", "0 %"],
    ]
    unknown = dataclasses.replace(judged, photos=judged.photos.assign(source=""))
    assert sections.by_source(unknown) is None


def test_robustness_is_told_beside_the_photos_as_they_are(judged: Judged) -> None:
    figures = summary(judged, Findings())
    rows = [Row(name, 0.4, (0.1, 0.8), 3) for name in DISTURBANCES]
    table = sections.disturbed(figures, rows).tables[0]
    assert table.rows[0][:2] == ["as they are", "60.0 %"]
    assert table.rows[1] == ["96 px and back", "40.0 %", "10.0 to 80.0 %", "−20.0", "3"]
    assert len(table.rows) == 8


def test_the_worst_mistakes_tell_the_scale_of_their_maps() -> None:
    card = Card("a.jpg", "food", 0.1, "", "data:", "data:")
    found = sections.worst(Sheet([card], 1.25), 30)
    assert "30 photos get the wrong label; mistakes.csv lists them. report.html shows the 1 worst" in found.words[0]
    assert "the colour is fullest from 1.2 of logit on" in found.words[1]
    assert found.cards == [card]
    (words,) = sections.worst(Sheet([card], None), 1).words
    assert "report.html shows them all" in words
    assert sections.worst(Sheet([], None), 0).words == ["None."]


def test_another_model_is_told_with_the_photos_on_which_the_two_differ(judged: Judged, bundled: Bundled) -> None:
    other = run(bundled, np.array([0.9, 0.1, 0.4, 0.3, 0.6]))
    found = sections.against(compare(judged, other, ("mine", "yours")), ROOT)
    assert found.words[0].startswith("This: mine. That: yours. On 5 photos this is right on 60.00 %, that on 80.00 %.")
    assert "with probability p = 1 (McNemar's exact test)" in found.words[0]
    assert found.tables[0].rows == [["3", "0", "1", "1", "1"]]
    assert found.tables[1].rows == [["b.jpg", "non_food", "0.800", "0.100"]]


def test_the_two_engines_are_told_with_what_they_ran_on(judged: Judged, bundled: Bundled) -> None:
    other = run(bundled, np.array([0.9, 0.1, 0.4, 0.3, 0.6]))
    found = sections.engines(compare(judged, other, ("tensorflow cpu", "openvino int8 CPU X")))
    assert "the two give 1 photos another label" in found.words[0]
    assert "P(food) differs by at most 0.700" in found.words[0]
    assert found.tables[0].rows == [["tensorflow cpu", "60.00 %"], ["openvino int8 CPU X", "80.00 %"]]


def test_the_audit_is_told_with_its_warnings() -> None:
    found = sections.audited(AUDIT)
    assert found.words[0].startswith(
        "Before the training: 1 photos unreadable, 1 exact and 1 near twins; 1 training photos"
    )
    assert found.words[1] == "25 % of the photos come from sources with one label alone."
    assert found.tables[0].rows[0] == ["training", "3", "4"]
    assert found.tables[1].rows == [["colour", "72.0 %", "62.0 to 80.0 %", "50.0 %", "0.44", "no"]]
    assert found.points == ["Warning: something is wrong"]


def test_photos_left_out_are_named_safely_from_the_data_sets_folder() -> None:
    found = sections.left_out([Unreadable("/data/a\n.jpg", "empty", "no\x1b bytes")], ROOT)
    assert found.tables[0].rows == [[r"a\x0a.jpg", r"no\x1b bytes"]]


def test_a_long_table_ends_early_and_says_so() -> None:
    found = sections.left_out([Unreadable(f"/data/{n}.jpg", "empty", "no bytes") for n in range(60)], ROOT)
    assert len(found.tables[0].rows) == 50
    assert found.tables[0].note == "the first 50 of 60"


def test_the_model_is_told_with_its_cost(bundled: Bundled) -> None:
    bundle = bundled(fit=Fit(side=448), thresholds=Thresholds(), files={NETWORK: "0123456789abcdef"})
    rows = dict(sections.model(bundle, "openvino").tables[0].rows)
    assert rows["model"] == "tiny, made 2026-11-24; weights 0123456789ab"
    assert rows["picture"] == "448 × 448 px, stretch"
    assert rows["cost of a picture"] == "15.42 G multiply-adds; it grows with the side squared"
    assert rows["run by"] == "openvino"
