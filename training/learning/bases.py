"""The bundle that learning starts from, checked: its heads, its feature bank and its guard."""

import zipfile

import numpy as np

from models.bundle import BANK, Bundle
from models.decision import probability
from models.errors import BundleError
from models.features import feature_digest, logits_of
from training.fitting import feature_bank
from training.fitting.feature_bank import BankSplit
from training.learning.candidate import Base

_TOLERANCE = 0.01
"""Largest difference between the accuracy on the guard now and that in the card: float16 moves a few logits."""


def root_of(bundle: Bundle) -> Bundle:
    """Returns the bundle that a learned one stands on, so that no label is counted twice; else the bundle itself."""
    folder = bundle.base_folder
    return bundle if folder is None else Bundle.load(folder)


def load(bundle: Bundle) -> Base:
    """Reads what learning needs of a bundle that stands on no other.

    Raises:
        BundleError: It has no heads or no feature bank, or the bank is that of another network.
    """
    feature_digest(bundle)  # raises if there are no heads
    if BANK not in bundle.card.files:
        raise BundleError(
            f"{bundle.folder} has no feature bank ({BANK}), which learning needs so that the model forgets nothing; "
            "use the bundle that comes with foodsort, or train one with `foodsort train`"
        )
    path = bundle.path(BANK)
    try:
        bank = feature_bank.load(path)
        base = Base(bundle.heads, bundle.card.cascade, bundle.card.thresholds, bank["training"], bank["guard"])
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path} is not a feature bank ({error}); copy the bundle again") from error
    if not (_fits(base, base.training) and _fits(base, base.guard) and _is_reproduced(base, bundle)):
        raise BundleError(
            f"{path} is the feature bank of another network than that of {bundle.folder}; copy the bundle again, or "
            "train one with `foodsort train`"
        )
    return base


def refuse_other_network(live: Bundle, base: Bundle) -> None:
    """Raises BundleError if a live bundle cannot be judged on the positions of a base."""
    if feature_digest(live) != feature_digest(base):
        raise BundleError(
            f"{live.folder} stands on another network than {base.folder}, so the two cannot be compared; learn on "
            f"the network of the live model: --on {live.folder}"
        )


def _fits(base: Base, split: BankSplit) -> bool:
    """Whether the positions of a split have the shape that the heads take."""
    return all(
        side in split.positions and split.positions[side].shape == (len(split.labels), head.centres.shape[1])
        for side, head in base.heads.items()
    )


def _is_reproduced(base: Base, bundle: Bundle) -> bool:
    """Whether the heads are as right on the guard as the card says. Positions of another network are as good as chance."""
    expected = bundle.card.metrics.get("validation", {})
    if not expected:
        return True
    if expected["n"] != len(base.guard.labels):
        return False
    p_food = probability(logits_of(base.heads, base.guard.positions, base.cascade), 1.0)
    accuracy = ((p_food >= base.thresholds.food) == (base.guard.labels == 1)).mean()
    return bool(np.abs(accuracy - expected["accuracy"]) <= _TOLERANCE)
