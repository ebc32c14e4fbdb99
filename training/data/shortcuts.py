"""Shortcut learning: how well the label can be predicted without the picture's content, from size, format, colour."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from models.intervals import wilson_interval

MAX_SKILL_CONTENT_FREE = 0.25
"""Highest skill of size, format and sharpness that is not suspicious. They do not depend on what a photo shows, so
their skill is near 0 in an unbiased data set; a quarter leaves room for habits such as square pictures of plates."""
MAX_SKILL_WITH_COLOUR = 0.5
"""The same with mean colour, which is partly genuine evidence: food is warm. Three mean levels should not avoid half of
the mistakes of always guessing the majority label."""
_TREES = 50  # as accurate as scikit-learn's default of 100 on Food-5K's stand-in, in half the time


class FeatureGroup(NamedTuple):
    """Features that one shallow model sees, and the skill up to which it is not suspicious."""

    columns: list[str]
    limit: float


_GROUPS = {
    "size and format": FeatureGroup(["megapixels", "aspect", "bytes_per_pixel", "format"], MAX_SKILL_CONTENT_FREE),
    "sharpness": FeatureGroup(["sharpness"], MAX_SKILL_CONTENT_FREE),
    "colour": FeatureGroup(["red", "green", "blue"], MAX_SKILL_WITH_COLOUR),
}


class Shortcut(NamedTuple):
    """The performance on validation of a shallow model that sees only some features, fitted on training.

    Attributes:
        features: Name of the feature group.
        n: Readable photos of validation.
        accuracy: On these photos, 0 to 1.
        accuracy_ci95: Its 95 % interval.
        majority: Share of the more frequent label.
        skill: Share of the mistakes of always guessing that label that the model avoids: 0 is none, 1 is all; below 0
            it is worse than guessing.
        limit: Skill up to which the group is not suspicious.
        suspicious: Whether the whole 95 % interval of the skill is above the limit.
    """

    features: str
    n: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    majority: float
    skill: float
    limit: float
    suspicious: bool


def measure(facts: pd.DataFrame, seed: int) -> list[Shortcut]:
    """Fits and tests a shallow model for each feature group and for all of them together.

    The models are gradient-boosted trees, which find thresholds and ranges that a linear model would miss.

    Args:
        facts: Readable photos, as from `image_facts.gather`.
        seed: Seeds the trees.

    Returns:
        One Shortcut for each group; none if training or validation lacks a label.
    """
    features = _features(facts)
    labels = facts["label"].to_numpy()
    training = (facts["split"] == "training").to_numpy()
    validation = (facts["split"] == "validation").to_numpy()
    if any(set(labels[rows]) != {0, 1} for rows in (training, validation)):
        return []
    all_columns = [name for group in _GROUPS.values() for name in group.columns]
    shortcuts = []
    for name, group in (_GROUPS | {"all of these": FeatureGroup(all_columns, MAX_SKILL_WITH_COLOUR)}).items():
        trees = HistGradientBoostingClassifier(max_iter=_TREES, early_stopping=False, random_state=seed)
        trees.fit(features.loc[training, group.columns], labels[training])
        right = trees.predict(features.loc[validation, group.columns]) == labels[validation]
        food_share = labels[validation].mean()
        majority = float(max(food_share, 1 - food_share))
        shortcuts.append(_shortcut(name, group.limit, n=len(right), right=int(right.sum()), majority=majority))
    return shortcuts


def _shortcut(features: str, limit: float, *, n: int, right: int, majority: float) -> Shortcut:
    def skill(accuracy: float) -> float:
        return (accuracy - majority) / (1 - majority)

    interval = wilson_interval(right, n)
    return Shortcut(
        features=features,
        n=n,
        accuracy=right / n,
        accuracy_ci95=interval,
        majority=majority,
        skill=skill(right / n),
        limit=limit,
        suspicious=bool(skill(interval[0]) > limit),
    )


def _features(facts: pd.DataFrame) -> pd.DataFrame:
    pixels = facts["width"] * facts["height"]
    return pd.DataFrame(
        {
            "megapixels": pixels / 1e6,
            "aspect": facts["width"] / facts["height"],
            "bytes_per_pixel": facts["bytes"] / pixels,
            "format": np.unique(facts["format"], return_inverse=True)[1],
            "sharpness": facts["sharpness"],
            "red": facts["red"],
            "green": facts["green"],
            "blue": facts["blue"],
        }
    )
