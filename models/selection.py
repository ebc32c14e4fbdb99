"""Which photos teach a model most when a person labels them."""

from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

_POOL = 10
"""Candidates for each photo that is chosen, the most uncertain ones: far fewer leave no choice, and far more let the
diversity choose photos that the model is sure of."""

Indices = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def most_informative(
    p_food: npt.ArrayLike, features: npt.NDArray[np.floating], count: int, groups: Sequence[Hashable], seed: int
) -> Indices:
    """Chooses photos that the model is unsure of and that differ from each other.

    They are the seeds of k-means++ (Arthur and Vassilvitskii 2007) among the most uncertain photos, on min(p, 1 − p) ·
    features: up to a factor the gradients of the loss, on which BADGE chooses (Ash et al. 2020, arXiv 1906.03671).

    Args:
        p_food: P(food) (n,).
        features: (n, k), such as the positions of the photos at the full side.
        count: How many photos to choose.
        groups: (n,), equal for photos of one burst, of which the most uncertain alone can be chosen.
        seed: Seed of the choice.

    Returns:
        Indices of at most `count` photos, in the order of the choice; fewer if there are fewer groups.
    """
    p = np.asarray(p_food, np.float64)
    uncertainty = np.minimum(p, 1 - p)
    pool = _first_of_each(np.argsort(-uncertainty, kind="stable"), groups)[: _POOL * count]
    return pool[_seeds(uncertainty[pool, None] * features[pool].astype(np.float64), count, seed)]


def _first_of_each(order: Indices, groups: Sequence[Hashable]) -> Indices:
    """Keeps the first photo of each group."""
    firsts: dict[Hashable, int] = {}
    for index in order.tolist():
        firsts.setdefault(groups[index], index)
    return np.array(list(firsts.values()), np.int64)


def _seeds(points: Floats, count: int, seed: int) -> Indices:
    """Returns rows of points (n, k): the longest, then each with a chance by its squared distance from those chosen."""
    random = np.random.default_rng(seed)
    if not len(points) or count < 1:
        return np.zeros(0, np.int64)
    chosen = [int((points**2).sum(axis=1).argmax())]
    distances = np.full(len(points), np.inf)
    while len(chosen) < min(count, len(points)):
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
        distances[chosen] = 0.0  # rounding must not choose a photo twice
        if (total := distances.sum()) > 0:
            chosen.append(int(random.choice(len(points), p=distances / total)))
        else:  # equal points are left
            chosen.append(next(row for row in range(len(points)) if row not in chosen))
    return np.array(chosen, np.int64)
