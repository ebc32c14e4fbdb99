from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.intervals import wilson_interval
from training.data.shortcuts import MAX_SKILL_CONTENT_FREE, MAX_SKILL_WITH_COLOUR, Shortcut, measure

pytestmark = pytest.mark.slow

GROUPS = ["size and format", "sharpness", "colour", "all of these"]


def facts(**by_label: Any) -> pd.DataFrame:
    """300 + 300 photos for training, half of that for validation. Columns are random, except those of `by_label`."""
    random = np.random.default_rng(1)
    labels = np.tile([0, 1], 450)
    frame = pd.DataFrame(
        {
            "label": labels,
            "split": ["training"] * 600 + ["validation"] * 300,
            "width": random.integers(100, 400, 900),
            "height": random.integers(100, 400, 900),
            "bytes": random.integers(5_000, 50_000, 900),
            "format": random.choice(["JPEG", "PNG"], 900),
            "sharpness": random.random(900),
            **{colour: random.random(900) for colour in ("red", "green", "blue")},
        }
    )
    for column, values in by_label.items():
        frame[column] = [values[label] for label in labels]
    return frame


def measured(frame: pd.DataFrame) -> dict[str, Shortcut]:
    return {one.features: one for one in measure(frame, seed=1)}


def test_random_features_are_no_shortcut() -> None:
    shortcuts = measured(facts())
    assert list(shortcuts) == GROUPS
    assert not any(one.suspicious for one in shortcuts.values())
    assert all(0.4 < one.accuracy < 0.6 and one.majority == 0.5 and one.n == 300 for one in shortcuts.values())


@pytest.mark.parametrize(
    ("by_label", "group"),
    [
        ({"width": (300, 301), "height": (300, 300)}, "size and format"),
        ({"format": ("PNG", "JPEG")}, "size and format"),
        ({"sharpness": (0.4, 0.5)}, "sharpness"),
        ({"blue": (0.1, 0.0)}, "colour"),
    ],
)
def test_a_feature_that_predicts_the_label_is_a_shortcut_of_its_group(by_label: dict[str, Any], group: str) -> None:
    shortcuts = measured(facts(**by_label))
    assert [name for name, one in shortcuts.items() if one.suspicious] == [group, "all of these"]
    assert shortcuts[group].accuracy == shortcuts[group].skill == 1.0
    assert (shortcuts["sharpness"].limit, shortcuts["colour"].limit) == (MAX_SKILL_CONTENT_FREE, MAX_SKILL_WITH_COLOUR)


def test_skill_is_the_share_of_avoided_mistakes_of_guessing_the_majority() -> None:
    frame = facts(sharpness=(0.4, 0.5))
    validation_rows = frame.index[frame["split"] == "validation"]
    frame.loc[validation_rows[:30], "sharpness"] = (
        0.9 - frame.loc[validation_rows[:30], "sharpness"]
    )  # 30 of 300 look like the other label
    frame = frame.drop(validation_rows[frame.loc[validation_rows, "label"] == 0][15:115])  # of 200 left, 150 are food
    one = measured(frame)["sharpness"]
    assert (one.n, one.majority, one.accuracy) == (200, 0.75, 0.85)
    assert one.skill == pytest.approx(0.4)
    assert one.accuracy_ci95 == wilson_interval(170, 200)
    assert not one.suspicious  # the interval begins below the limit, a quarter of the way from 75 % to 100 %


@pytest.mark.parametrize("split", ["training", "validation"])
def test_without_both_labels_there_is_nothing_to_measure(split: str) -> None:
    frame = facts()
    assert measure(frame[(frame["split"] != split) | (frame["label"] == 1)], seed=1) == []
