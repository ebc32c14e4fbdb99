import json
from pathlib import Path

import pytest

from tests.training.data.audit import AUDIT
from training.data import audit_report


def test_the_lines_are_counts_shortcuts_and_warnings() -> None:
    assert audit_report.lines(AUDIT) == [
        "photos (non_food + food): training 3 + 4, evaluation 1 + 2; 1 unreadable; 3 left out",
        r"left out, no label in the name: 2 files, such as x/cat\x0a.jpg, x/dog.jpg",
        "left out, hidden: 1 file, such as x/.DS_Store",
        "note: x/manifest.csv is ignored",
        "duplicates: 1 exact, 1 near; 1 photo removed from training",
        "accuracy from colour alone: 72.0% of validation (more frequent label: 50.0%)",
        "warning: something is wrong",
    ]


def test_the_json_holds_everything_with_escaped_names(tmp_path: Path) -> None:
    audit_report.write(tmp_path / "new", AUDIT)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"audit.json", "audit.md"}
    exact = {
        "path": "a",
        "label": 0,
        "split": "training",
        "twin": "b",
        "twin_label": 1,
        "twin_split": "evaluation",
        "bits": 0,
        "exact": True,
    }
    near = {
        "path": "d",
        "label": 1,
        "split": "training",
        "twin": "e",
        "twin_label": 1,
        "twin_split": "training",
        "bits": 6,
        "exact": False,
    }
    assert json.loads((tmp_path / "new/audit.json").read_text()) == {
        "photos": AUDIT.counts,
        "unreadable": [{"path": r"c\x0a<b>.jpg", "kind": "empty", "message": "no | bytes"}],
        "left_out": [
            {
                "reason": "no label in the name",
                "files": 2,
                "paths": [r"x/cat\x0a.jpg", "x/dog.jpg"],
            },
            {"reason": "hidden", "files": 1, "paths": ["x/.DS_Store"]},
        ],
        "notes": ["x/manifest.csv is ignored"],
        "duplicates": [exact, near],
        "leaks": [exact],
        "looks": [
            {
                "label": "food",
                "width": 300,
                "height": 200,
                "bytes": 1000,
                "sharpness": 5.0,
                "formats": {"JPEG": 5, "PNG": 1},
            }
        ],
        "shortcuts": [
            {
                "given": "colour",
                "n": 100,
                "accuracy": 0.72,
                "accuracy_ci95": [0.62, 0.8],
                "majority": 0.5,
                "skill": 0.44,
                "limit": 0.5,
                "suspicious": False,
            }
        ],
        "one_sided": 0.25,
        "warnings": ["something is wrong"],
    }


def test_the_markdown_has_a_table_for_each_result() -> None:
    text = audit_report.as_markdown(AUDIT)
    for row in (
        "| training | 3 | 4 |",
        "- something is wrong",
        "From sources with one label only: 25% of the photos.",
        "| colour | 72.0% | 62.0% to 80.0% | 50.0% | 0.44 | 0.5 |",
        "| food | 300 | 200 | 1000 | 5.0 | JPEG 5, PNG 1 |",
        "| a | non_food | b | food | same bytes |",
        "| d | food | e | food | 6 |",
        "| hidden | 1 | x/.DS_Store |",
        "Note: x/manifest.csv is ignored.",
        r"| c\x0a&lt;b&gt;.jpg | empty | no \| bytes |",
    ):
        assert row in text.splitlines()


def test_a_long_table_is_truncated_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_report, "_MAX_ROWS", 1)
    text = audit_report.as_markdown(AUDIT)
    assert "| a | non_food | b | food | same bytes |" in text
    assert "| d | food" not in text
    assert "… and 1 more, in audit.json." in text
