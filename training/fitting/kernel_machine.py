"""Fits heads: machines with Gaussian kernels on the principal components of the features."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from models.head import Head
from training.fitting.features import Features, Labels
from training.fitting.recipe import Recipe

Weights = npt.NDArray[np.float64]


class Projection(NamedTuple):
    """What heads compare → the space of the kernels.

    Attributes:
        components: float32 (d + 1, k).
        offset: float32 (k,).
    """

    components: Features
    offset: Features


def principal_components(compared: Features, recipe: Recipe) -> Projection:
    """Finds the principal components of the directions of features; the evidence stays a column of its own.

    Args:
        compared: (n, d + 1), directions of length 1 and evidence.
        recipe: Its `components` and `evidence` are used.
    """
    directions = compared[:, :-1].astype(np.float64)
    mean = directions.mean(axis=0)
    covariance = directions.T @ directions / len(directions) - np.outer(mean, mean)
    _, vectors = np.linalg.eigh(covariance)
    count = min(recipe.components, len(mean), len(directions))
    vectors = vectors[:, ::-1][:, :count]
    components = np.zeros((len(mean) + 1, count + 1))
    components[:-1, :-1] = vectors
    components[-1, -1] = recipe.evidence
    # Rounded as it will be stored, so that the centres are where the network will look for them.
    components = components.astype(np.float16).astype(np.float64)
    offset = np.append(-mean @ components[:-1, :-1], 0.0)
    return Projection(components.astype(np.float32), offset.astype(np.float32))


def fit(
    compared: Features, labels: Labels, recipe: Recipe, projection: Projection, weights: Weights | None = None
) -> Head:
    """Fits a head: a support vector machine (Cortes and Vapnik 1995).

    Beyond `recipe.exact_limit` photos it is a logistic regression on a Nyström map of the kernels (Williams and Seeger
    2001), whose cost is linear in the number of photos.

    Args:
        compared: What heads compare, (n, d + 1).
        labels: (n,), 1 = food.
        recipe: Its `gamma`, `slack`, `exact_limit`, `landmarks` and `seed` are used.
        projection: The space of the kernels.
        weights: Weight of each photo (n,); 1 if None.

    Returns:
        A head of temperature 1.
    """
    positions = np.asarray(compared @ projection.components + projection.offset, np.float32)
    if len(positions) <= recipe.exact_limit:
        machine = SVC(C=recipe.slack, gamma=recipe.gamma, cache_size=2000)
        machine.fit(positions, labels, weights)
        centres, factors, bias = machine.support_vectors_, machine.dual_coef_[0], machine.intercept_[0]
    else:
        landmarks = min(recipe.landmarks, len(positions))
        kernels = Nystroem(gamma=recipe.gamma, n_components=landmarks, random_state=recipe.seed)
        # In float32 as they are: LinearSVC would hold them twice more, in float64.
        linear = LogisticRegression(C=recipe.slack, max_iter=1000)
        linear.fit(kernels.fit_transform(positions), labels, weights)
        centres, factors, bias = kernels.components_, kernels.normalization_.T @ linear.coef_[0], linear.intercept_[0]
    return Head(
        components=projection.components,
        offset=projection.offset,
        centres=np.asarray(centres, np.float32),
        gamma=recipe.gamma,
        weights=np.asarray(factors, np.float32),
        bias=float(bias),
        temperature=1.0,
    ).rounded()
