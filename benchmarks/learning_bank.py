"""The shipped feature bank without some of its sources: a model that has never seen them, and a person who has them."""

import dataclasses
from collections.abc import Collection
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.svm import SVC

from models.bundle import Bundle
from models.head import Head
from training.fitting.feature_bank import BankSplit
from training.fitting.recipe import Recipe
from training.learning import bases, groups
from training.learning.candidate import Base
from training.learning.heads import PersonsPhotos

Rows = npt.NDArray[np.int64]

MIN_SOURCE = 20
"""Fewest photos of a source that a person may have."""


class Domain(NamedTuple):
    """A person's photos, and a model that has not seen their sources.

    Attributes:
        base: Heads fitted to the other sources, and these as the bank.
        pool: Rows of the bank that the person can label.
        test: Rows of the person's other photos.
        groups: Numbers of the groups of near copies, for each row of the bank; a group is never split.
    """

    base: Base
    pool: Rows
    test: Rows
    groups: Rows


@cache
def shipped() -> Base:
    """The shipped model with its whole bank."""
    return bases.load(Bundle.load())


@cache
def _groups() -> Rows:
    side = next(iter(shipped().heads))
    count = len(shipped().training.labels)
    return groups.group(
        shipped().training.positions[side], [str(row) for row in range(count)], [""] * count, [""] * count
    )


def sources() -> npt.NDArray[np.str_]:
    """Source of each row of the bank."""
    return np.array(shipped().training.sources)


def further() -> npt.NDArray[np.bool_]:
    """Which rows of the bank are of the second data set: they have a weight of 1."""
    return np.asarray(shipped().training.weights == 1)


def draw_sources(seed: int, count: int) -> list[str]:
    """Draws sources of the second data set, of at least `MIN_SOURCE` photos each, until they have `count` photos."""
    names, sizes = np.unique(sources()[further()], return_counts=True)
    order = np.random.default_rng(seed).permutation(names[sizes >= MIN_SOURCE])
    needed = np.cumsum([sizes[names == name][0] for name in order]) < count
    return [str(name) for name in order[: int(needed.sum()) + 1]]


def without(left_out: Collection[str], seed: int, *, rows: Rows | None = None, test_share: float = 0.5) -> Domain:
    """Leaves whole sources out of the bank and of the model.

    Args:
        left_out: The sources.
        seed: Seed of the division into pool and test.
        rows: The person's photos among those of the sources; all if None.
        test_share: Share of their groups that are for the test.
    """
    is_out = np.isin(sources(), list(left_out))
    own = np.flatnonzero(is_out) if rows is None else rows
    numbers = np.random.default_rng(seed).permutation(np.unique(_groups()[own]))
    is_test = np.isin(_groups()[own], numbers[: round(test_share * len(numbers))])
    rest = np.flatnonzero(~is_out)
    return Domain(_base(rest), own[~is_test], own[is_test], _groups())


def _base(rest: Rows) -> Base:
    whole = shipped()
    bank = take(whole.training, rest)
    heads = {side: svm(head, bank.positions[side], bank.labels, bank.weights) for side, head in whole.heads.items()}
    return whole._replace(heads=heads, training=bank)


def svm(head: Head, positions: npt.NDArray[np.float32], labels: Rows, weights: npt.NDArray[np.floating]) -> Head:
    """Fits a support vector machine as `foodsort train` does, with the projection and temperature of `head`."""
    machine = SVC(C=Recipe().slack, gamma=head.gamma, cache_size=500).fit(positions, labels, weights)
    return dataclasses.replace(
        head,
        centres=machine.support_vectors_.astype(np.float32),
        weights=machine.dual_coef_[0].astype(np.float32),
        bias=float(machine.intercept_[0]),
    )


def take(split: BankSplit, rows: Rows) -> BankSplit:
    """Returns some rows of a bank."""
    return BankSplit(
        positions={side: at[rows] for side, at in split.positions.items()},
        labels=split.labels[rows],
        sources=[split.sources[row] for row in rows],
        weights=split.weights[rows],
    )


def persons(domain: Domain, rows: Rows, labels: Rows, asked: Rows) -> PersonsPhotos:
    """Returns rows of the bank as a person's photos, with labels that may be wrong."""
    positions = {side: at[rows] for side, at in shipped().training.positions.items()}
    return PersonsPhotos(positions, labels, domain.groups[rows], asked)
