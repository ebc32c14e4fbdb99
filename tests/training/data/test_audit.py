from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.data.audit import Looks, audit
from training.fitting.features import Unreadable

COLUMNS = ["path", "label", "split", "source"]


def facts(**others: dict[str, Any]) -> pd.DataFrame:
    """Facts of 12 photos, 2 + 2 a split, that are nothing like each other; `others` changes rows, by path."""
    random = np.random.default_rng(2)
    rows = {
        f"{split}{label}{number}": {
            "label": label,
            "split": split,
            "source": "",
            "sha256": f"{split}{label}{number}",
            "p_hash": random.integers(0, 2**64, dtype=np.uint64),
            "d_hash": random.integers(0, 2**64, dtype=np.uint64),
            "width": 300,
            "height": 200,
            "format": "JPEG",
            "bytes": 1000,
            "sharpness": 5.0,
            "red": 1.0,
            "green": 1.0,
            "blue": 1.0,
            "kind": "",
            "message": "",
        }
        for split in ("training", "validation", "evaluation")
        for label in (0, 1)
        for number in (0, 1)
    }
    for path, changes in others.items():
        rows[path] = rows.get(path, rows["training00"]) | {"sha256": path} | changes
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("path").reset_index()
    return frame.astype({"p_hash": np.uint64, "d_hash": np.uint64})


def test_a_clean_data_set_is_kept_whole_and_without_a_warning() -> None:
    found = audit(facts(), seed=1)
    assert found.frame.equals(facts()[COLUMNS])
    assert found.photos == {split: {"non_food": 2, "food": 2} for split in ("training", "validation", "evaluation")}
    assert (found.unreadable, found.duplicates, found.leaks, found.one_sided) == ([], [], [], None)
    assert found.looks[1] == Looks("food", 300, 200, 1000, 5.0, {"JPEG": 6})
    assert [one.given for one in found.shortcuts][-1] == "all of these"
    assert found.warnings == []


@pytest.mark.parametrize("bit", [0, 1])
def test_a_training_photo_that_is_held_out_too_leaves_training(bit: int) -> None:
    seen = facts()
    twin = seen.loc[seen["path"] == "evaluation10"].iloc[0].to_dict()
    copied = {"sha256": "evaluation10"} if not bit else {}
    leak = {"label": 1, "d_hash": twin["d_hash"], "p_hash": twin["p_hash"] ^ np.uint64(bit)} | copied
    found = audit(facts(leak=leak), seed=1)
    assert found.frame.equals(seen[COLUMNS])
    (one,) = found.leaks
    assert (one.path, one.split, one.twin, one.twin_split) == ("leak", "training", "evaluation10", "evaluation")
    assert (one.bits, one.exact) == (bit, not bit)
    assert found.photos["training"] == {"non_food": 2, "food": 3}
    assert found.warnings == ["1 training photos are in validation or evaluation too and leave training"]


def test_twins_in_training_stay_and_those_of_other_labels_are_warned_of() -> None:
    found = audit(facts(again={"label": 1, "sha256": "training00"}), seed=1)
    assert "again" in set(found.frame["path"])
    assert [(one.path, one.label, one.twin, one.twin_label) for one in found.duplicates] == [
        ("training00", 0, "again", 1)
    ]
    assert found.warnings == ["1 pairs of twins have different labels; one of the two is wrong"]


def test_twins_in_validation_and_evaluation_are_warned_of() -> None:
    found = audit(facts(validation00={"sha256": "evaluation00"}), seed=1)
    assert len(found.frame) == 12
    assert found.warnings == [
        "1 pairs of twins lie in validation and evaluation; move them to one side for honest figures"
    ]


def test_unreadable_photos_are_listed_compared_with_nothing_and_kept_for_the_report() -> None:
    bad = {"kind": "empty", "message": "no bytes", "sha256": "0", "p_hash": 0, "d_hash": 0, "width": 0, "height": 0}
    found = audit(facts(training00=bad, validation00=bad), seed=1)
    assert found.unreadable == [
        Unreadable("training00", "empty", "no bytes"),
        Unreadable("validation00", "empty", "no bytes"),
    ]
    assert (found.duplicates, len(found.frame)) == ([], 12)
    assert found.looks[0] == Looks("non_food", 300, 200, 1000, 5.0, {"JPEG": 4})
    assert found.warnings == ["2 photos cannot be read and are left out"]


def test_a_small_class_is_warned_of() -> None:
    random = np.random.default_rng(5)
    more: dict[str, dict[str, Any]] = {
        f"more{number}": {"label": 1, "p_hash": random.integers(0, 2**64, dtype=np.uint64)} for number in range(7)
    }
    found = audit(facts(**more), seed=1)
    assert found.warnings == ["only 18% of training is non_food; read precision and recall rather than accuracy"]


def test_sources_with_one_label_alone_are_warned_of() -> None:
    seen = facts()
    seen["source"] = [f"web{label}" for label in seen["label"]]
    found = audit(seen, seed=1)
    assert found.one_sided == 1.0
    assert found.warnings == ["100% of the photos come from sources with one label alone; add sources that have both"]
    seen["source"] = "web"
    assert audit(seen, seed=1).one_sided == 0.0


def test_a_shortcut_is_warned_of() -> None:
    random = np.random.default_rng(6)
    many: dict[str, dict[str, Any]] = {
        f"{split}-{number}": {
            "split": split,
            "label": number % 2,
            "p_hash": random.integers(0, 2**64, dtype=np.uint64),
            "width": 300 + number % 2,
        }
        for split in ("training", "validation")
        for number in range(100)
    }
    first, *_ = audit(facts(**many), seed=1).warnings
    assert first.startswith("size and format alone: ")
    assert "of validation right, far above the 50.0% of always guessing" in first
