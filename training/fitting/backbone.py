"""Makes the backbone: ImageNet's, or a fine-tuned one if that is better."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.progress import Progress

from models import head
from models.decision import probability
from training.fitting import calibrate, kernel_machine
from training.fitting.checkpoint import Array, Checkpoint
from training.fitting.feature_cache import DecodedSplit, FeatureCache
from training.fitting.features import Features, Labels
from training.fitting.finetune import FIRST_TRAINED_AFTER, FinetuneData, finetune
from training.fitting.inference import compile_for_inference
from training.fitting.recipe import Recipe
from training.fitting.views import MIRROR, ORIGINAL, View

if TYPE_CHECKING:
    import keras

INPUT = "pixels"
"""Name of the network's input layer."""


def finetune_if_better(
    network: "keras.Model",
    training: DecodedSplit,
    validation: DecodedSplit,
    *,
    recipe: Recipe,
    checkpoint: Checkpoint,
    progress: Progress,
) -> pd.DataFrame:
    """Fine-tunes the last stage; keeps the result only if a head on it has a lower validation loss than on ImageNet's.

    Args:
        network: As made by `resnet50.build`, with ImageNet's weights; it is changed in place.
        training: The photos to learn from.
        validation: The photos for early stopping and for the comparison.
        recipe: The hyper-parameters.
        checkpoint: Keeps intermediate results.
        progress: Gets a bar for each step.

    Returns:
        The history of fine-tuning, one row an epoch.
    """
    frozen_part = compile_for_inference(head.submodel(network, INPUT, FIRST_TRAINED_AFTER))
    cache = FeatureCache("frozen", frozen_part, np.float16, recipe, checkpoint)
    augmented = [View("augmented", number=number) for number in range(2, recipe.finetune_views)]
    views = [ORIGINAL, MIRROR, *augmented][: recipe.finetune_views]
    data = FinetuneData(
        views=[cache.view(training, view, progress).values for view in views],
        labels=training.labels,
        validation=cache.view(validation, ORIGINAL, progress).values,
        validation_labels=validation.labels,
    )
    stock_loss = _loss(network, data, recipe)
    stock_weights = network.get_weights()
    history = finetune(network, data, recipe=recipe, checkpoint=checkpoint, progress=progress)
    if _loss(network, data, recipe) >= stock_loss:
        network.set_weights(stock_weights)
    return history


def _loss(network: "keras.Model", data: FinetuneData, recipe: Recipe) -> float:
    """Binary cross-entropy on validation, at the best temperature, of a head fitted to the original photos."""
    last_stage = compile_for_inference(head.submodel(network, FIRST_TRAINED_AFTER, head.COMPARED))

    def compared(activations: Array) -> Features:
        starts = range(0, len(activations), recipe.batch)
        batches = (np.asarray(activations[start : start + recipe.batch], np.float32) for start in starts)
        return np.concatenate([last_stage(batch) for batch in batches])

    inputs = compared(data.views[0])
    projection = kernel_machine.principal_components(inputs, recipe)
    machine = kernel_machine.fit(inputs, data.labels, recipe, projection)
    return cross_entropy(machine.logits(compared(data.validation)), data.validation_labels)


def cross_entropy(logits: Features, labels: Labels) -> float:
    """Binary cross-entropy at the best temperature."""
    p_food = probability(logits, calibrate.fit_temperature(logits, labels))
    return float(-np.log(np.where(labels == 1, p_food, 1 - p_food).clip(1e-12)).mean())
