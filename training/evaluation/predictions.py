"""What a model says of labelled photos."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models.bundle import Bundle
from models.decision import Floats, probability
from models.engines.base import Engine, Logits
from training.fitting.features import Labels, Unreadable, extract
from training.fitting.recipe import Recipe


@dataclass(frozen=True)
class Judged:
    """One run of a bundle over photos.

    engine: name of what ran it. photos: the n readable ones, columns path, label (1 = food), split, source.
    logits: float32 (n,). unreadable: the photos left out.
    """

    bundle: Bundle
    engine: str
    photos: pd.DataFrame
    logits: Logits
    unreadable: list[Unreadable]

    @property
    def labels(self) -> Labels:
        """int (n,), 1 = food."""
        return self.photos["label"].to_numpy()

    @property
    def threshold(self) -> float:
        """P(food) from which on a photo is called food."""
        return self.bundle.card.thresholds.food

    @property
    def p_food(self) -> Floats:
        """Calibrated P(food) (n,)."""
        return probability(self.logits, self.bundle.card.temperature)

    @property
    def p_raw(self) -> Floats:
        """P(food) (n,) before the temperature."""
        return probability(self.logits, 1.0)

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Whether a photo gets the wrong label, (n,)."""
        return np.asarray((self.p_food >= self.threshold) != (self.labels == 1), bool)


def judge(bundle: Bundle, engine: Engine, frame: pd.DataFrame, progress: Progress) -> Judged:
    """Runs a bundle by its engine over the photos of `frame` (columns as from `dataset.read`), of one split.

    Raises FoodsortError when none of them can be read.
    """
    recipe = Recipe(fit=bundle.card.fit)
    seen = extract(engine.logits, frame, recipe, progress)
    left_out = {one.path for one in seen.unreadable}
    photos = frame[~frame["path"].isin(left_out)].reset_index(drop=True)
    return Judged(bundle, engine.name, photos, seen.values, seen.unreadable)
