"""Fits the heads of a bundle again with a person's photos: the weight of these, and each photo out of fold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from models.head import Head
from training.fitting.calibrate import fit_temperature
from training.fitting.feature_bank import BankSplit
from training.fitting.features import Features, Labels
from training.learning import correction, folds
from training.learning.correction import Correction

Weight = Literal[1, 3, 10]
WEIGHTS: tuple[Weight, ...] = (1, 3, 10)
"""Candidates for the weight of a person's photo in the fit, relative to a photo of the bank of weight 1."""

Mask = npt.NDArray[np.bool_]


class PersonsPhotos(NamedTuple):
    """A person's labelled photos.

    Attributes:
        positions: By side (pixels), float32 (n, k).
        labels: int (n,), 1 = food.
        groups: Numbers of the groups that are never split, int (n,).
        asked: How often a person has labelled each photo, int (n,).
    """

    positions: dict[int, Features]
    labels: Labels
    groups: Labels
    asked: Labels


class Fit(NamedTuple):
    """Corrections of all heads of a bundle.

    Attributes:
        weight: The weight of the person's photos.
        corrections: By side.
        out_of_fold: Logits of the person's photos by heads that have not seen their group, float32 (n, number of
            heads).
    """

    weight: Weight
    corrections: dict[int, Correction]
    out_of_fold: Features


class Learner:
    """The base's heads, the bank and the person's photos, prepared for several fits.

    Attributes:
        sides: The sides of the heads, the full side first.
    """

    def __init__(self, heads: Mapping[int, Head], bank: BankSplit, photos: PersonsPhotos, seed: int) -> None:
        """Computes the logits of the base.

        Args:
            heads: The base's heads by side, the full side first.
            bank: The base's training photos.
            photos: The person's photos, n ≥ 1.
            seed: Seed of landmarks and folds.
        """
        self.sides = tuple(heads)
        self._count = len(photos.labels)
        self._seed = seed
        self._folds = folds.assign(photos.labels, photos.groups, seed)
        self._bank_weights = np.asarray(bank.weights, np.float64)
        self._problems = {
            side: correction.prepare(head, [photos.positions[side], bank.positions[side]], [photos.labels, bank.labels])
            for side, head in heads.items()
        }

    def out_of_fold(self, side: int, weights: Sequence[Weight], counted: Mask) -> list[Features]:
        """Computes, for each weight, logits of the person's photos by a head that has not seen their group.

        Args:
            side: The side of the head.
            weights: The weights of the person's photos.
            counted: Which of the photos the heads are fitted to, (n,).

        Returns:
            float32 (n,) for each weight.
        """
        found = [np.zeros(self._count, np.float32) for _ in weights]
        for fold in np.unique(self._folds):
            left_out = np.flatnonzero(self._folds == fold)
            fits = self._fit(side, weights, counted & (self._folds != fold))
            for logits, one in zip(found, fits, strict=True):
                logits[left_out] = correction.apply(one, self._problems[side], left_out)
        return found

    def fit(self, weight: Weight, counted: Mask) -> dict[int, Correction]:
        """Fits the corrections by side to all photos that count."""
        return {side: self._fit(side, (weight,), counted)[0] for side in self.sides}

    def _fit(self, side: int, weights: Sequence[Weight], counted: Mask) -> list[Correction]:
        rows = np.flatnonzero(counted)
        of_photos = [np.concatenate([weight * counted.astype(np.float64), self._bank_weights]) for weight in weights]
        return correction.fit(self._problems[side], correction.landmarks(rows, self._seed), of_photos)


def fits_by_loss(learner: Learner, labels: Labels, counted: Mask) -> Iterator[Fit]:
    """Yields a fit for each weight, the lowest log-loss out of fold first, the smaller weight of equal ones.

    Args:
        learner: The prepared fits.
        labels: Of the person's photos, (n,), 1 = food.
        counted: Which of these photos count.
    """
    by_side = [learner.out_of_fold(side, WEIGHTS, counted) for side in learner.sides]
    out_of_fold = [np.stack(columns, axis=1) for columns in zip(*by_side, strict=True)]
    losses = [_log_loss(logits[counted], labels[counted]) if counted.any() else 0.0 for logits in out_of_fold]
    for index in np.argsort(losses, kind="stable").tolist():
        yield Fit(WEIGHTS[index], learner.fit(WEIGHTS[index], counted), out_of_fold[index])


def _log_loss(logits: Features, labels: Labels) -> float:
    """Returns the mean negative log-likelihood over photos and heads, each after calibration."""
    signs = np.where(labels == 1, 1.0, -1.0)
    temperatures = [fit_temperature(column, labels) for column in logits.T]
    return float(np.logaddexp(0.0, -signs[:, None] * logits / temperatures).mean())
