"""How far the label can be told from what is not in the picture: size, format, sharpness, mean colour."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier

from models.intervals import wilson_interval

CONTENT_FREE = 0.25
"""Most skill that size, format and sharpness may have. They say nothing of what a photo shows, so an honest collection
leaves them near 0; a quarter leaves room for habits such as square pictures of plates."""
WITH_COLOUR = 0.5
"""Most skill with mean colour, which is honest evidence in part: food is warm. Half of the mistakes of always guessing the
commoner label undone by three means is more than that."""
_TREES = 50  # as right as scikit-learn's 100 on Food-5K's stand-in, in half the time
_GROUPS: dict[str, tuple[list[str], float]] = {
    "size and format": (["megapixels", "aspect", "bytes_per_pixel", "format"], CONTENT_FREE),
    "sharpness": (["sharpness"], CONTENT_FREE),
    "colour": (["red", "green", "blue"], WITH_COLOUR),
}


class Shortcut(NamedTuple):
    """What a shallow model that sees only the figures named in `given` gets right, fitted on training.

    n, accuracy, accuracy_ci95: on the n readable photos of validation. majority: share of its commoner label.
    skill: share of the mistakes of always guessing the commoner label that it avoids; 0: none, 1: all, below 0: worse.
    limit: the skill up to which it is no reason to worry. suspicious: whether the whole interval lies above it.
    """

    given: str
    n: int
    accuracy: float
    accuracy_ci95: tuple[float, float]
    majority: float
    skill: float
    limit: float
    suspicious: bool


def measure(facts: pd.DataFrame, seed: int) -> list[Shortcut]:
    """One Shortcut a group of figures and one of all together; none when training or validation lacks a label.

    facts: readable photos as from `facts.gather`. Gradient-boosted trees (scikit-learn's) find limits and
    ranges that a linear model would miss.
    """
    figures, split = _figures(facts), facts["split"]
    fitting, judging = (split == "training").to_numpy(), (split == "validation").to_numpy()
    labels = facts["label"].to_numpy()
    if any(set(labels[part]) != {0, 1} for part in (fitting, judging)):
        return []
    groups = _GROUPS | {"all of these": ([name for names, _ in _GROUPS.values() for name in names], WITH_COLOUR)}
    found = []
    for given, (names, limit) in groups.items():
        trees = HistGradientBoostingClassifier(max_iter=_TREES, early_stopping=False, random_state=seed)
        trees.fit(figures.loc[fitting, names], labels[fitting])
        right = trees.predict(figures.loc[judging, names]) == labels[judging]
        found.append(_judged(given, int(right.sum()), labels[judging].mean(), len(right), limit))
    return found


def _judged(given: str, right: int, food: float, n: int, limit: float) -> Shortcut:
    majority = max(food, 1 - food)
    interval = wilson_interval(right, n)

    def skill(accuracy: float) -> float:
        return float((accuracy - majority) / (1 - majority))

    accuracy = right / n
    return Shortcut(
        given,
        n,
        accuracy,
        interval,
        float(majority),
        skill(accuracy),
        limit,
        suspicious=bool(skill(interval[0]) > limit),
    )


def _figures(facts: pd.DataFrame) -> pd.DataFrame:
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
