"""Positions of made-up kinds of photos, a head that knows some of them, and a bank."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.cascade import Cascade
from models.decision import Thresholds
from models.head import Head
from training.fitting.feature_bank import BankSplit
from training.learning.candidate import Base
from training.learning.heads import PersonsPhotos

SIDES = (32, 16)
K = 8
KNOWN = {0: 1, 1: 0, 2: 1, 3: 0}
"""Kinds in the bank and their labels; the other kinds are a person's."""

Floats = npt.NDArray[np.float32]


class Made(NamedTuple):
    """Photos."""

    positions: dict[int, Floats]
    labels: npt.NDArray[np.int64]


def photos(kinds: dict[int, int], count: int, seed: int) -> Made:
    """`count` photos of each kind; a kind is a direction, and the smaller side has more noise."""
    random = np.random.default_rng(seed)
    rows = np.repeat(np.array(list(kinds), np.int64), count)
    centres = np.eye(K, dtype=np.float32)[rows]
    positions = {
        side: (centres + random.normal(0, noise, centres.shape)).astype(np.float16).astype(np.float32)
        for side, noise in zip(SIDES, (0.12, 0.18), strict=True)
    }
    return Made(positions, np.repeat(np.array(list(kinds.values()), np.int64), count))


def head() -> Head:
    """Knows the kinds of the bank, and takes all other photos for food."""
    centres = np.eye(K, dtype=np.float32)[list(KNOWN)]
    return Head(
        components=np.eye(K + 1, K, dtype=np.float32),
        offset=np.zeros(K, np.float32),
        centres=centres,
        gamma=1.5,
        weights=np.array([8.0 if label else -8.0 for label in KNOWN.values()], np.float32),
        bias=1.0,
        temperature=1.0,
    )


def bank(made: Made) -> BankSplit:
    return BankSplit(made.positions, made.labels, ["bank"] * len(made.labels), np.ones(len(made.labels), np.float32))


def base() -> Base:
    return Base(
        heads={side: head() for side in SIDES},
        cascade=Cascade(side=16, margin=1.0),
        thresholds=Thresholds(food=0.5, unsure_low=0.1, unsure_high=0.9),
        training=bank(photos(KNOWN, 100, 1)),
        guard=bank(photos(KNOWN, 50, 2)),
    )


def persons(made: Made, asked: int = 1) -> PersonsPhotos:
    count = len(made.labels)
    return PersonsPhotos(made.positions, made.labels, np.arange(count), np.full(count, asked))
