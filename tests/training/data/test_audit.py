from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.data.audit import ClassStatistics, audit
from training.fitting.features import UnreadablePhoto

pytestmark = pytest.mark.slow

COLUMNS = ["path", "label", "split", "source"]


def facts(**changed_rows: dict[str, Any]) -> pd.DataFrame:
    """Facts of 12 different photos, 2 + 2 in each split; `changed_rows` changes or adds rows, by path."""
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
    for path, changes in changed_rows.items():
        rows[path] = rows.get(path, rows["training00"]) | {"sha256": path} | changes
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("path").reset_index()
    return frame.astype({"p_hash": np.uint64, "d_hash": np.uint64})


def test_a_clean_data_set_is_kept_complete_without_a_warning() -> None:
    result = audit(facts(), seed=1)
    assert result.frame.equals(facts()[COLUMNS])
    assert result.counts == {split: {"non_food": 2, "food": 2} for split in ("training", "validation", "evaluation")}
    assert (result.unreadable, result.duplicates, result.leaks, result.one_sided_share) == ([], [], [], None)
    assert result.class_statistics[1] == ClassStatistics("food", 300, 200, 1000, 5.0, {"JPEG": 6})
    assert [one.features for one in result.shortcuts][-1] == "all of these"
    assert result.warnings == []


@pytest.mark.parametrize("bit", [0, 1])
def test_a_training_photo_with_a_held_out_duplicate_leaves_training(bit: int) -> None:
    photos = facts()
    original = photos.loc[photos["path"] == "evaluation10"].iloc[0].to_dict()
    copied = {"sha256": "evaluation10"} if not bit else {}
    leak = {"label": 1, "d_hash": original["d_hash"], "p_hash": original["p_hash"] ^ np.uint64(bit)} | copied
    result = audit(facts(leak=leak), seed=1)
    assert result.frame.equals(photos[COLUMNS])
    (leak_pair,) = result.leaks
    assert (leak_pair.path, leak_pair.split, leak_pair.other_path, leak_pair.other_split) == (
        "leak",
        "training",
        "evaluation10",
        "evaluation",
    )
    assert (leak_pair.bits, leak_pair.exact) == (bit, not bit)
    assert result.counts["training"] == {"non_food": 2, "food": 3}
    assert result.warnings == ["training photos with a duplicate in validation or evaluation, removed from training: 1"]


def test_duplicates_in_training_stay_and_different_labels_give_a_warning() -> None:
    result = audit(facts(again={"label": 1, "sha256": "training00"}), seed=1)
    assert "again" in set(result.frame["path"])
    assert [(one.path, one.label, one.other_path, one.other_label) for one in result.duplicates] == [
        ("training00", 0, "again", 1)
    ]
    assert result.warnings == ["pairs of duplicates with different labels: 1; correct the wrong label of each pair"]


def test_duplicates_across_validation_and_evaluation_give_a_warning() -> None:
    result = audit(facts(validation00={"sha256": "evaluation00"}), seed=1)
    assert len(result.frame) == 12
    assert result.warnings == [
        "pairs of duplicates across validation and evaluation: 1; "
        "move both photos to one split, or the metrics are biased"
    ]


def test_unreadable_photos_are_listed_and_kept_but_not_compared() -> None:
    bad = {"kind": "empty", "message": "no bytes", "sha256": "0", "p_hash": 0, "d_hash": 0, "width": 0, "height": 0}
    result = audit(facts(training00=bad, validation00=bad), seed=1)
    assert result.unreadable == [
        UnreadablePhoto("training00", "empty", "no bytes"),
        UnreadablePhoto("validation00", "empty", "no bytes"),
    ]
    assert (result.duplicates, len(result.frame)) == ([], 12)
    assert result.class_statistics[0] == ClassStatistics("non_food", 300, 200, 1000, 5.0, {"JPEG": 4})
    assert result.warnings == ["unreadable photos, left out: 2"]


def test_a_small_class_gives_a_warning() -> None:
    random = np.random.default_rng(5)
    more: dict[str, dict[str, Any]] = {
        f"more{number}": {"label": 1, "p_hash": random.integers(0, 2**64, dtype=np.uint64)} for number in range(7)
    }
    result = audit(facts(**more), seed=1)
    assert result.warnings == ["only 18% of training is non_food; read precision and recall rather than accuracy"]


def test_sources_with_one_label_only_give_a_warning() -> None:
    photos = facts()
    photos["source"] = [f"web{label}" for label in photos["label"]]
    result = audit(photos, seed=1)
    assert result.one_sided_share == 1.0
    assert result.warnings == [
        "100% of the photos come from sources with one label only; add sources that have both labels"
    ]
    photos["source"] = "web"
    assert audit(photos, seed=1).one_sided_share == 0.0


def test_a_shortcut_gives_a_warning() -> None:
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
    assert first.startswith('shortcut "size and format": ')
    assert "of validation, far above the 50.0% of always guessing" in first
