"""Cross-validation in which whole sources are left out: it shows how a model does on photos of new kinds."""

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedGroupKFold

from training.fitting.features import Labels

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

FOLDS = 5


def folds(labels: Labels, sources: list[str], seed: int) -> list[tuple[Rows, Rows]]:
    """Splits photos into folds: rows to learn from, and rows of the sources that are left out.

    Photos without a source are left out one by one. So are all photos where the sources are too few for five folds, or
    where a fold would have to learn from one label alone.

    Args:
        labels: (n,), 1 = food.
        sources: (n,), "" if unknown.
        seed: Seed of the split.
    """
    alone = np.arange(len(labels))
    by_source = np.unique([source or f"\0{row}" for row, source in enumerate(sources)], return_inverse=True)[1]
    for groups in (by_source, alone):
        if len(set(groups)) >= FOLDS:
            split = list(_split(labels, groups, seed))
            if all(len(set(labels[rows])) == 2 for rows, _ in split):
                return split
    # Too few photos to leave any out.
    return [(alone, alone)]


def _split(labels: Labels, groups: Rows, seed: int) -> Iterator[tuple[Rows, Rows]]:
    count = min(FOLDS, int(np.bincount(labels).min()))
    if count >= 2:
        folds = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
        yield from folds.split(labels, labels, groups)


def predict_left_out(
    fit_and_predict: Callable[[Rows, Rows], Floats], labels: Labels, sources: list[str], seed: int
) -> Floats:
    """Predicts each photo by a model that has seen no photo of its source.

    Args:
        fit_and_predict: Fits a model on the photos of the first rows; predicts those of the second.
        labels: (n,), 1 = food.
        sources: (n,), "" if unknown.
        seed: Seed of the folds.

    Returns:
        The predictions (n,).
    """
    predictions = np.zeros(len(labels), np.float32)
    for rows, left_out in folds(labels, sources, seed):
        predictions[left_out] = fit_and_predict(rows, left_out)
    return predictions
