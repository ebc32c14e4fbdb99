import json
from pathlib import Path

import pandas as pd
import pytest

from training.data import audit_report
from training.data.audit import Audit, Looks, Twins
from training.data.shortcuts import Shortcut
from training.fitting.features import Unreadable

AUDIT = Audit(
    frame=pd.DataFrame(),
    photos={"training": {"non_food": 3, "food": 4}, "evaluation": {"non_food": 1, "food": 2}},
    unreadable=[Unreadable("c\n<b>.jpg", "empty", "no | bytes")],
    duplicates=[
        Twins("a", 0, "training", "b", 1, "evaluation", 0, exact=True),
        Twins("d", 1, "training", "e", 1, "training", 6, exact=False),
    ],
    leaks=[Twins("a", 0, "training", "b", 1, "evaluation", 0, exact=True)],
    looks=[Looks("food", 300, 200, 1000, 5.0, {"JPEG": 5, "PNG": 1})],
    shortcuts=[Shortcut("colour", 100, 0.72, (0.62, 0.8), 0.5, 0.44, 0.5, suspicious=False)],
    one_sided=0.25,
    warnings=["something is wrong"],
)


def test_the_lines_are_the_counts_what_shallow_models_reach_and_the_warnings() -> None:
    assert audit_report.lines(AUDIT) == [
        "photos (non_food + food): training 3 + 4, evaluation 1 + 2; 1 unreadable",
        "twins: 1 exact, 1 near; 1 photos leave training for them",
        "told from colour alone: 72.0% of validation (commoner label: 50.0%)",
        "warning: something is wrong",
    ]


def test_the_json_holds_everything_with_names_that_are_safe(tmp_path: Path) -> None:
    audit_report.write(tmp_path / "new", AUDIT)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"audit.json", "audit.md"}
    found = json.loads((tmp_path / "new/audit.json").read_text())
    assert found == {
        "photos": AUDIT.photos,
        "unreadable": [{"path": r"c\x0a<b>.jpg", "kind": "empty", "message": "no | bytes"}],
        "duplicates": [one._asdict() for one in AUDIT.duplicates],
        "leaks": [AUDIT.leaks[0]._asdict()],
        "looks": [AUDIT.looks[0]._asdict()],
        "shortcuts": [AUDIT.shortcuts[0]._asdict() | {"accuracy_ci95": [0.62, 0.8]}],
        "one_sided": 0.25,
        "warnings": ["something is wrong"],
    }


def test_the_text_has_a_table_for_each_finding() -> None:
    text = audit_report.as_markdown(AUDIT)
    for row in (
        "| training | 3 | 4 |",
        "- something is wrong",
        "From sources with one label alone: 25% of the photos.",
        "| colour | 72.0% | 62.0% to 80.0% | 50.0% | 0.44 | 0.5 |",
        "| food | 300 | 200 | 1000 | 5.0 | JPEG 5, PNG 1 |",
        "| a | non_food | b | food | same bytes |",
        "| d | food | e | food | 6 |",
        r"| c\x0a&lt;b&gt;.jpg | empty | no \| bytes |",
    ):
        assert row in text.splitlines()


def test_a_long_table_ends_early_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_report, "_LISTED", 1)
    text = audit_report.as_markdown(AUDIT)
    assert "| a | non_food | b | food | same bytes |" in text
    assert "| d | food" not in text
    assert "… and 1 more, in audit.json." in text
