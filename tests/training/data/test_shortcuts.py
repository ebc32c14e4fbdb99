from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.intervals import wilson_interval
from training.data.shortcuts import CONTENT_FREE, WITH_COLOUR, Shortcut, measure

GROUPS = ["size and format", "sharpness", "colour", "all of these"]


def facts(**told: Any) -> pd.DataFrame:
    """300 + 300 photos for training and half of that for validation; figures say nothing, but those in `told`, by label."""
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
    for column, by_label in told.items():
        frame[column] = [by_label[label] for label in labels]
    return frame


def measured(frame: pd.DataFrame) -> dict[str, Shortcut]:
    return {one.given: one for one in measure(frame, seed=1)}


def test_figures_that_say_nothing_are_no_shortcut() -> None:
    found = measured(facts())
    assert list(found) == GROUPS
    assert not any(one.suspicious for one in found.values())
    assert all(0.4 < one.accuracy < 0.6 and one.majority == 0.5 and one.n == 300 for one in found.values())


@pytest.mark.parametrize(
    ("told", "group"),
    [
        ({"width": (300, 301), "height": (300, 300)}, "size and format"),
        ({"format": ("PNG", "JPEG")}, "size and format"),
        ({"sharpness": (0.4, 0.5)}, "sharpness"),
        ({"blue": (0.1, 0.0)}, "colour"),
    ],
)
def test_a_figure_that_tells_the_label_is_named_by_its_group(told: dict[str, Any], group: str) -> None:
    found = measured(facts(**told))
    assert [name for name, one in found.items() if one.suspicious] == [group, "all of these"]
    assert found[group].accuracy == found[group].skill == 1.0
    assert (found["sharpness"].limit, found["colour"].limit) == (CONTENT_FREE, WITH_COLOUR)


def test_skill_is_the_share_of_the_commoner_labels_mistakes_that_are_avoided() -> None:
    frame = facts(sharpness=(0.4, 0.5))
    judged = frame.index[frame["split"] == "validation"]
    frame.loc[judged[:30], "sharpness"] = (
        0.9 - frame.loc[judged[:30], "sharpness"]
    )  # 30 of 300 look like the other label
    frame = frame.drop(judged[frame.loc[judged, "label"] == 0][15:115])  # of 200 left, 150 are food
    one = measured(frame)["sharpness"]
    assert (one.n, one.majority, one.accuracy) == (200, 0.75, 0.85)
    assert one.skill == pytest.approx(0.4)
    assert one.accuracy_ci95 == wilson_interval(170, 200)
    assert not one.suspicious  # the interval begins below a quarter of the way from 75 % to 100 %


@pytest.mark.parametrize("split", ["training", "validation"])
def test_without_both_labels_there_is_nothing_to_measure(split: str) -> None:
    frame = facts()
    assert measure(frame[(frame["split"] != split) | (frame["label"] == 1)], seed=1) == []
