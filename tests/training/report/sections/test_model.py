from pathlib import Path

import pandas as pd

from models.bundle import NETWORK
from models.decision import Thresholds
from models.images.decode import Fit
from tests.training.conftest import Bundled
from tests.training.data.test_audit_report import AUDIT
from training.evaluation.comparison import compare
from training.evaluation.predictions import Judged
from training.report.sections import model

ROOT = Path("/data")


def test_another_model_is_told_with_the_photos_on_which_the_two_differ(judged: Judged, better: Judged) -> None:
    found = model.against(compare(judged, better, ("mine", "yours")), ROOT)
    assert found.words[0].startswith("This: mine. That: yours. On 5 photos this is right on 60.00 %, that on 80.00 %.")
    assert "with probability p = 1 (McNemar's exact test)" in found.words[0]
    assert found.tables[0].rows == [["3", "0", "1", "1", "1"]]
    assert found.tables[1].rows == [["b.jpg", "non_food", "0.800", "0.100"]]


def test_the_two_engines_are_told_with_what_they_ran_on(judged: Judged, better: Judged) -> None:
    found = model.engines(compare(judged, better, ("tensorflow cpu", "openvino int8 CPU X")))
    assert "the two give 1 photos another label" in found.words[0]
    assert "P(food) differs by at most 0.700" in found.words[0]
    assert found.tables[0].rows == [["tensorflow cpu", "60.00 %"], ["openvino int8 CPU X", "80.00 %"]]


def test_the_audit_is_told_with_its_warnings() -> None:
    found = model.audited(AUDIT)
    assert found.words[0].startswith(
        "Before the training: 1 photos unreadable, 1 exact and 1 near twins; 1 training photos"
    )
    assert found.words[1] == "25 % of the photos come from sources with one label alone."
    assert found.tables[0].rows[0] == ["training", "3", "4"]
    assert found.tables[1].rows == [["colour", "72.0 %", "62.0 to 80.0 %", "50.0 %", "0.44", "no"]]
    assert found.points == ["Warning: something is wrong"]


def test_the_model_is_told_with_its_cost(bundled: Bundled) -> None:
    bundle = bundled(fit=Fit(side=448), thresholds=Thresholds(), files={NETWORK: "0123456789abcdef"})
    rows = dict(model.model(bundle, "openvino").tables[0].rows)
    assert rows["model"] == "tiny, made 2026-11-24; weights 0123456789ab"
    assert rows["picture"] == "448 × 448 px, stretch"
    assert rows["cost of a picture"] == "15.42 G multiply-adds; it grows with the side squared"
    assert rows["run by"] == "openvino"


def test_the_training_is_told_with_its_history() -> None:
    found = model.trained(pd.DataFrame({"loss": [1.0, 0.5], "val_loss": [1.0, 0.6]}))
    assert found.words == ["2 epochs."]
    assert [drawing.file for drawing in found.drawings] == ["history.svg"]
