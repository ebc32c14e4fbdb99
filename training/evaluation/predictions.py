"""The predictions of a model for labelled photos."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models.bundle import Bundle
from models.cascade import Sides, look
from models.decision import Floats, probability
from models.engines.base import Engine, Logits
from training.fitting.features import Labels, UnreadablePhoto, extract
from training.fitting.recipe import Recipe


@dataclass(frozen=True)
class Predictions:
    """The predictions of a bundle for n readable photos.

    Attributes:
        bundle: The model.
        engine_name: The engine that ran it.
        photos: The readable photos, columns path, label (1 = food), split, source.
        logits: float32 (n,).
        looks: int (n,), the side of the pictures of the look that decided (pixels).
        unreadable: The photos left out.
    """

    bundle: Bundle
    engine_name: str
    photos: pd.DataFrame
    logits: Logits
    looks: Sides
    unreadable: list[UnreadablePhoto]

    @property
    def labels(self) -> Labels:
        """True labels, int (n,), 1 = food."""
        return self.photos["label"].to_numpy()

    @property
    def threshold(self) -> float:
        """P(food) at or above which a photo is predicted to be food."""
        return self.bundle.card.thresholds.food

    @property
    def p_food(self) -> Floats:
        """Calibrated P(food) (n,)."""
        return probability(self.logits, self.bundle.card.temperature)

    @property
    def p_uncalibrated(self) -> Floats:
        """P(food) (n,) before calibration."""
        heads = self.bundle.heads
        temperatures = np.array([heads[look].temperature if heads else 1.0 for look in self.looks])
        return probability(self.logits * temperatures, 1.0)

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Whether the predicted label is wrong, (n,)."""
        return np.asarray((self.p_food >= self.threshold) != (self.labels == 1), bool)


def predict(bundle: Bundle, engine: Engine, frame: pd.DataFrame, progress: Progress) -> Predictions:
    """Runs a bundle over the photos of one split.

    Args:
        bundle: The model.
        engine: Runs the model.
        frame: The photos, columns as from `dataset.read`.
        progress: Gets a bar.

    Raises:
        FoodsortError: None of the photos can be read.
    """
    recipe = Recipe(fit=bundle.card.fit)
    cascade = bundle.card.cascade
    outputs = extract(lambda pixels: np.stack(look(engine.logits, pixels, cascade), axis=1), frame, recipe, progress)
    unreadable_paths = {photo.path for photo in outputs.unreadable}
    return Predictions(
        bundle=bundle,
        engine_name=engine.name,
        photos=frame[~frame["path"].isin(unreadable_paths)].reset_index(drop=True),
        logits=outputs.values[:, 0].astype(np.float32),
        looks=outputs.values[:, 1].astype(np.int64),
        unreadable=outputs.unreadable,
    )
