"""Makes a candidate: heads fitted again with a person's photos, calibrated, with a margin and thresholds."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from models.cascade import Cascade, combine
from models.decision import Floats, Thresholds, probability
from models.features import logits_by_side
from models.head import Head
from training.fitting import calibrate
from training.fitting.feature_bank import BankSplit
from training.fitting.features import Features, Labels
from training.fitting.recipe import Recipe
from training.learning import contradictions
from training.learning.correction import corrected
from training.learning.heads import Fit, Learner, Mask, PersonsPhotos, Weight, fits_by_loss

ASKED = 2
"""Times that a person must have given a label that contradicts its neighbours before it counts."""
_ROBUST: Weight = 3
"""Weight with which contradictions are searched: a larger one makes a wrong label spoil its neighbours' logits."""


class Base(NamedTuple):
    """What a fit starts from.

    Attributes:
        heads: The heads of the base by side, the full side first.
        cascade: Its small look.
        thresholds: Its thresholds.
        training: The photos that it was fitted to.
        guard: Photos that no head was ever fitted to.
    """

    heads: dict[int, Head]
    cascade: Cascade | None
    thresholds: Thresholds
    training: BankSplit
    guard: BankSplit


class Candidate(NamedTuple):
    """A fitted candidate.

    Attributes:
        heads: Its heads.
        cascade: Its small look.
        thresholds: Its thresholds.
        weight: Weight of one of the person's photos.
        asked_again: Which of the person's labels contradict their neighbours and did not count, (n,).
        p_held_out: P(food) of the person's photos by heads that have not seen their group, (n,).
        p_guard: P(food) of the guard's photos.
    """

    heads: dict[int, Head]
    cascade: Cascade | None
    thresholds: Thresholds
    weight: Weight
    asked_again: Mask
    p_held_out: Floats
    p_guard: Floats


def make(base: Base, photos: PersonsPhotos, keeps: Callable[[Candidate], bool], seed: int) -> Candidate:
    """Fits a candidate.

    The weight of the person's photos is that of the lowest log-loss out of fold with which the candidate keeps what the
    live model knows, and simply that of the lowest log-loss if it does with none.

    Args:
        base: What to start from.
        photos: The person's photos, n ≥ 1.
        keeps: Whether a candidate keeps enough of the guard's photos right.
        seed: Seed of landmarks and folds.
    """
    # One thread: several would wait for each other wherever the daemon or its decoders use a core.
    with threadpool_limits(1):
        return _best(base, photos, keeps, seed)


def _best(base: Base, photos: PersonsPhotos, keeps: Callable[[Candidate], bool], seed: int) -> Candidate:
    learner = Learner(base.heads, base.training, photos, seed)
    asked_again = _contradictions(learner, base, photos) & (photos.asked < ASKED)
    first = None
    for fit in fits_by_loss(learner, photos.labels, ~asked_again):
        candidate = calibrated(base, photos.labels, fit, asked_again)
        if keeps(candidate):
            return candidate
        first = first or candidate
    assert first is not None  # there are three weights
    return first


def _contradictions(learner: Learner, base: Base, photos: PersonsPhotos) -> Mask:
    side = learner.sides[0]
    (out_of_fold,) = learner.out_of_fold(side, (_ROBUST,), np.ones(len(photos.labels), bool))
    shares = contradictions.disagreement(
        photos.positions[side], photos.labels, photos.groups, base.training.positions[side], base.training.labels
    )
    return contradictions.find(out_of_fold, photos.labels, shares)


def calibrated(base: Base, labels: Labels, fit: Fit, asked_again: Mask) -> Candidate:
    """Calibrates corrected heads on the guard and on the person's photos out of fold.

    Temperature, margin and the band of unsure are never less cautious than the base's: that was calibrated on thousands
    of photos of left-out sources, which cannot be repeated from the bank.

    Args:
        base: The base.
        labels: Of the person's photos, (n,), 1 = food.
        fit: The corrections.
        asked_again: The labels that did not count, (n,).
    """
    raw = {side: corrected(head, fit.corrections[side], 1.0) for side, head in base.heads.items()}
    guard = logits_by_side(raw, base.guard.positions)
    logits = np.concatenate([guard, fit.out_of_fold])
    truth = np.concatenate([base.guard.labels, labels])
    temperatures = [max(1.0, calibrate.fit_temperature(column, truth)) for column in logits.T]
    logits = np.asarray(logits / np.array(temperatures, np.float32), np.float32)
    cascade = _cascade(base.cascade, logits, truth)
    p_food = probability(logits[:, 0] if cascade is None else combine(logits, cascade.margin), 1.0)
    return Candidate(
        heads={
            side: corrected(head, fit.corrections[side], temperature)
            for (side, head), temperature in zip(base.heads.items(), temperatures, strict=True)
        },
        cascade=cascade,
        thresholds=_thresholds(base.thresholds, p_food, truth),
        weight=fit.weight,
        asked_again=asked_again,
        p_held_out=p_food[len(guard) :],
        p_guard=p_food[: len(guard)],
    )


def _cascade(base: Cascade | None, logits: Features, labels: Labels) -> Cascade | None:
    if base is None:
        return None
    return base.model_copy(update={"margin": max(base.margin, calibrate.choose_margin([(logits, labels)]))})


def _thresholds(base: Thresholds, p_food: Floats, labels: Labels) -> Thresholds:
    chosen = calibrate.choose_thresholds(p_food, labels, Recipe().unsure_error)
    return Thresholds(
        food=chosen.food,
        unsure_low=min(base.unsure_low, chosen.unsure_low),
        unsure_high=max(base.unsure_high, chosen.unsure_high),
    )
