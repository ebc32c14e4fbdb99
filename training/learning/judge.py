"""Judges a candidate against the live model, photo by photo."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.cascade import Cascade
from models.decision import Floats, Thresholds, probability
from models.features import logits_of
from models.head import Head
from models.judgement import Comparison
from training.evaluation.comparison import mcnemar
from training.fitting.features import Labels


class Reader(NamedTuple):
    """The part of a model that reads a label from positions.

    Attributes:
        heads: The heads by side.
        cascade: The small look.
        thresholds: The thresholds.
    """

    heads: dict[int, Head]
    cascade: Cascade | None
    thresholds: Thresholds

    def p_food(self, positions: dict[int, npt.NDArray[np.float32]]) -> Floats:
        """P(food) (n,) of positions (n, k) by side."""
        return probability(logits_of(self.heads, positions, self.cascade), 1.0)


def count(p_live: Floats, p_candidate: Floats, labels: Labels, thresholds: tuple[Thresholds, Thresholds]) -> Comparison:
    """Comparison the photos that each of two models gets right.

    Args:
        p_live: P(food) by the live model, (n,).
        p_candidate: P(food) by the candidate, (n,).
        labels: (n,), 1 = food.
        thresholds: The live model's and the candidate's.
    """
    live, candidate = (
        (p >= one.food) == (labels == 1) for p, one in zip((p_live, p_candidate), thresholds, strict=True)
    )
    test = mcnemar(live, candidate)
    return Comparison(
        n=len(labels),
        won=test.only_second,
        lost=test.only_first,
        p=test.p,
        correct_live=int(live.sum()),
        correct_candidate=int(candidate.sum()),
    )
