"""Fits a network to photos: the head, then optionally the last stage of the backbone and the head again."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from rich.progress import Progress

from models import head
from models.decision import probability
from training.fitting import calibrate, svm
from training.fitting.checkpoint import Array, Checkpoint
from training.fitting.feature_cache import DecodedSplit, FeatureCache, ViewOutputs
from training.fitting.features import Labels
from training.fitting.finetune import FIRST_TRAINED_AFTER, FinetuneData, finetune
from training.fitting.inference import compile_for_inference
from training.fitting.recipe import Recipe
from training.fitting.views import MIRROR, ORIGINAL, View

if TYPE_CHECKING:
    import keras

INPUT = "pixels"
"""Name of the network's input layer."""

Floats32 = npt.NDArray[np.float32]


class FittedModel(NamedTuple):
    """A fitted network.

    Attributes:
        network: The network with its head.
        validation_logits: float32 (m,), its logits on the validation split.
        history: The history of fine-tuning, one row an epoch; None without fine-tuning.
    """

    network: "keras.Model"
    validation_logits: Floats32
    history: pd.DataFrame | None


def fit(
    network: "keras.Model",
    training: DecodedSplit,
    validation: DecodedSplit,
    *,
    recipe: Recipe,
    checkpoint: Checkpoint,
    progress: Progress,
) -> FittedModel:
    """Fits a network to the training split.

    The fine-tuned backbone is kept only if its validation loss is lower than that of the head on ImageNet's backbone.

    Args:
        network: As made by `resnet50.build`, with ImageNet's weights.
        training: The photos to learn from.
        validation: The photos for early stopping and for the comparison.
        recipe: The hyper-parameters.
        checkpoint: Keeps intermediate results.
        progress: Gets a bar for each step.
    """
    head_views = (ORIGINAL, *recipe.views)
    if not recipe.finetune_epochs:
        to_head = compile_for_inference(head.submodel(network, INPUT, head.COMPARED))
        cache = FeatureCache(to_head, np.float32, recipe, checkpoint)
        head_inputs = [cache.view(training, view, progress) for view in head_views]
        return _fit_head(network, head_inputs, cache.view(validation, ORIGINAL, progress).values, recipe)

    frozen_part = compile_for_inference(head.submodel(network, INPUT, FIRST_TRAINED_AFTER))
    cache = FeatureCache(frozen_part, np.float16, recipe, checkpoint)
    augmented = [View("augmented", number=number) for number in range(2, recipe.finetune_views)]
    finetune_views = [ORIGINAL, MIRROR, *augmented][: recipe.finetune_views]
    data = FinetuneData(
        views=[cache.view(training, view, progress).values for view in finetune_views],
        labels=training.labels,
        validation=cache.view(validation, ORIGINAL, progress).values,
        validation_labels=validation.labels,
    )
    activations = [cache.view(training, view, progress) for view in head_views]
    stock = _fit_head_on_activations(network, activations, data.validation, recipe)
    stock_weights = network.get_weights()
    history = finetune(network, data, recipe=recipe, checkpoint=checkpoint, progress=progress)
    tuned = _fit_head_on_activations(network, activations, data.validation, recipe)
    if _loss(tuned.validation_logits, validation.labels) < _loss(stock.validation_logits, validation.labels):
        return tuned._replace(history=history)
    network.set_weights(stock_weights)
    return stock._replace(history=history)


def _fit_head_on_activations(
    network: "keras.Model", views: list[ViewOutputs], validation: Array, recipe: Recipe
) -> FittedModel:
    """Runs the last stage on the activations of the views and fits the head to its outputs."""
    last_stage = compile_for_inference(head.submodel(network, FIRST_TRAINED_AFTER, head.COMPARED))

    def head_inputs(activations: Array) -> Floats32:
        starts = range(0, len(activations), recipe.batch)
        batches = (np.asarray(activations[start : start + recipe.batch], np.float32) for start in starts)
        return np.concatenate([last_stage(batch) for batch in batches])

    inputs = [view._replace(values=head_inputs(view.values)) for view in views]
    return _fit_head(network, inputs, head_inputs(validation), recipe)


def _fit_head(network: "keras.Model", views: list[ViewOutputs], validation: Array, recipe: Recipe) -> FittedModel:
    """Fits the head to its inputs (k, d + 2) for each view of the training photos."""
    values = np.concatenate([view.values for view in views])
    svm_head = svm.fit(values, np.concatenate([view.labels for view in views]), recipe)
    complete = svm_head.attach_to(network)
    logits = np.asarray(head.submodel(complete, head.COMPARED, head.LOGIT)(np.asarray(validation)))[:, 0]
    return FittedModel(complete, logits, history=None)


def _loss(logits: Floats32, labels: Labels) -> float:
    """Binary cross-entropy at the best temperature."""
    p_food = probability(logits, calibrate.fit_temperature(logits, labels))
    return float(-np.log(np.where(labels == 1, p_food, 1 - p_food).clip(1e-12)).mean())
