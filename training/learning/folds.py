"""Folds for cross-validation that keep groups whole, with any number of photos of each label."""

import numpy as np

from training.fitting.features import Labels

MANY = 1000
"""With more photos, five folds leave enough to learn from; with fewer, ten do."""


def assign(labels: Labels, groups: Labels, seed: int) -> Labels:
    """Assigns photos to folds: whole groups, the larger ones first, each to the fold with the fewest of its labels.

    Args:
        labels: (n,), 1 = food; one label alone is possible.
        groups: (n,), numbers of groups.
        seed: Seed of the order of groups of one size.

    Returns:
        The fold of each photo (n,), from 0. All are in fold 0 if there are fewer than two groups.
    """
    numbers, members = np.unique(groups, return_inverse=True)
    count = min(10 if len(labels) <= MANY else 5, len(numbers))
    sizes = np.bincount(members, minlength=len(numbers))
    order = np.random.default_rng(seed).permutation(len(numbers))
    totals = np.zeros((max(count, 1), 2))
    of_group = np.zeros(len(numbers), np.int64)
    by_label = np.zeros((len(numbers), 2))
    np.add.at(by_label, (members, labels), 1)
    for number in order[np.argsort(-sizes[order], kind="stable")]:
        own = by_label[number]
        of_group[number] = fold = int(np.argmin(totals @ own + 1e-6 * totals.sum(axis=1)))
        totals[fold] += own
    return of_group[members]
