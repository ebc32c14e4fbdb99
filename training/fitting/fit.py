"""Fits the heads of a network, calibrates them on sources that were left out, and chooses the cascade."""

import dataclasses
from typing import NamedTuple

import numpy as np
from rich.progress import Progress

from models.cascade import Cascade, combine
from models.decision import Floats, Thresholds, probability
from models.head import COMPARED, Head
from training.fitting import calibrate, kernel_machine
from training.fitting.checkpoint import Checkpoint
from training.fitting.cross_validation import Rows, predict_left_out
from training.fitting.feature_bank import BankSplit
from training.fitting.feature_cache import DecodedSplit, FeatureCache, Network, ViewOutputs
from training.fitting.features import Features, Labels
from training.fitting.kernel_machine import Projection, Weights
from training.fitting.recipe import Recipe
from training.fitting.views import ORIGINAL


class LabelledLogits(NamedTuple):
    """Calibrated logits of photos with known labels.

    Attributes:
        logits: float32 (n, number of heads).
        labels: int (n,), 1 = food.
        sources: Source of each photo (n), "" if unknown.
    """

    logits: Features
    labels: Labels
    sources: list[str]

    def p_food(self, cascade: Cascade | None) -> Floats:
        """P(food) (n,) after one look or two, as `models.cascade.look` takes them."""
        return probability(self.logits[:, 0] if cascade is None else combine(self.logits, cascade.margin), 1.0)


class FittedModel(NamedTuple):
    """Fitted heads.

    Attributes:
        heads: The calibrated heads by side, the full side first.
        cascade: The small look.
        thresholds: Thresholds, chosen on left-out sources.
        validation: Logits on the validation split.
        left_out: Logits on the training split, of each photo by heads that saw no photo of its source.
        bank: The features of both splits.
    """

    heads: dict[int, Head]
    cascade: Cascade | None
    thresholds: Thresholds
    validation: LabelledLogits
    left_out: LabelledLogits
    bank: dict[str, BankSplit]


class _FittedHead(NamedTuple):
    """A head, its logits, and the positions of the photos among its kernels."""

    head: Head
    validation: Features
    left_out: Features
    validation_positions: Features
    training_positions: Features


def fit(
    network: Network,
    training: DecodedSplit,
    validation: DecodedSplit,
    *,
    recipe: Recipe,
    checkpoint: Checkpoint,
    progress: Progress,
) -> FittedModel:
    """Fits a head for each side to the training split.

    Args:
        network: uint8 pixels (b, side, side, 3) → what heads compare, float32 (b, d + 1).
        training: The photos to learn from.
        validation: The photos for the choice of the cascade.
        recipe: The hyper-parameters.
        checkpoint: Keeps intermediate results.
        progress: Gets a bar for each step.
    """
    cache = FeatureCache(COMPARED, network, np.float32, recipe, checkpoint)
    sides = (recipe.fit.side, recipe.cascade_side) if recipe.cascade_side else (recipe.fit.side,)
    fitted = [_fit_head(cache, training, validation, None if side == sides[0] else side, progress) for side in sides]
    held_out = LabelledLogits(
        np.stack([one.validation for one in fitted], axis=1), validation.labels, validation.sources
    )
    left_out = LabelledLogits(np.stack([one.left_out for one in fitted], axis=1), training.labels, training.sources)
    cascade = None
    if recipe.cascade_side:
        margin = calibrate.choose_margin([(one.logits, one.labels) for one in (held_out, left_out)])
        cascade = Cascade(side=recipe.cascade_side, margin=margin)
    thresholds = calibrate.choose_thresholds(left_out.p_food(cascade), left_out.labels, recipe.unsure_error)
    by_side = dict(zip(sides, fitted, strict=True))
    bank = {
        "training": BankSplit(
            positions={side: one.training_positions for side, one in by_side.items()},
            labels=training.labels,
            sources=training.sources,
            weights=_weights(training.data_sets, recipe),
        ),
        "guard": BankSplit(
            positions={side: one.validation_positions for side, one in by_side.items()},
            labels=validation.labels,
            sources=validation.sources,
            weights=np.ones(len(validation.labels)),
        ),
    }
    return FittedModel(
        heads={side: one.head for side, one in by_side.items()},
        cascade=cascade,
        thresholds=thresholds,
        validation=held_out,
        left_out=left_out,
        bank=bank,
    )


def _fit_head(
    cache: FeatureCache, training: DecodedSplit, validation: DecodedSplit, side: int | None, progress: Progress
) -> _FittedHead:
    recipe = cache.recipe
    views = [cache.view(training, view, progress, side) for view in (ORIGINAL, *recipe.views)]
    original = np.asarray(views[0].values)
    projection = kernel_machine.principal_components(original, recipe)
    task = progress.add_task(f"head{'' if side is None else f' at {side} px'} fitted", total=None)
    weights = _weights(training.data_sets, recipe)

    def fit_to(rows: Rows) -> Head:
        return _fit_views(views, rows, recipe, projection, weights)

    def fit_and_predict(rows: Rows, left_out: Rows) -> Features:
        return fit_to(rows).logits(original[left_out])

    head = fit_to(np.arange(len(original)))
    left_out = predict_left_out(fit_and_predict, training.labels, training.sources, recipe.seed)
    temperature = calibrate.fit_temperature(left_out, training.labels)
    head = dataclasses.replace(head, temperature=temperature)
    progress.update(task, total=1, completed=1)
    held_out = np.asarray(cache.view(validation, ORIGINAL, progress, side).values)
    return _FittedHead(
        head,
        validation=head.logits(held_out),
        left_out=left_out / np.float32(temperature),
        validation_positions=head.project(held_out),
        training_positions=head.project(original),
    )


def _weights(data_sets: Labels, recipe: Recipe) -> Weights:
    """Weights of photos (n,) by the numbers of their data sets."""
    return np.where((data_sets == 0) & (data_sets.max() > 0), recipe.first_weight, 1.0)


def _fit_views(views: list[ViewOutputs], rows: Rows, recipe: Recipe, projection: Projection, weights: Weights) -> Head:
    """Fits a head to all views of the photos in `rows`; `weights` (n,) are those of all photos."""
    chosen = [np.isin(view.rows, rows) for view in views]
    compared = np.concatenate([view.values[keep] for view, keep in zip(views, chosen, strict=True)])
    labels = np.concatenate([view.labels[keep] for view, keep in zip(views, chosen, strict=True)])
    of_views = np.concatenate([weights[view.rows[keep]] for view, keep in zip(views, chosen, strict=True)])
    return kernel_machine.fit(compared, labels, recipe, projection, of_views)
