"""Fits the new head on frozen features."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.features import Outputs
from training.recipe import Recipe


class Fitted(NamedTuple):
    """A fitted head: kernel (d, 1) and bias (1,), float32, and the history (one row an epoch, Keras' column names)."""

    kernel: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    history: pd.DataFrame


def fit_head(training: Outputs, validation: Outputs, recipe: Recipe) -> Fitted:
    """Fits a linear head, features (n, d) → logit, by binary cross-entropy; keeps the epoch with the least validation loss.

    The head starts at zero, so the first step is the same whatever the seed (Big Transfer, Kolesnikov et al. 2020).
    """
    import keras

    keras.utils.set_random_seed(recipe.seed)
    head = keras.Sequential(
        [keras.Input((training.values.shape[1],)), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    head.compile(
        optimizer=keras.optimizers.AdamW(recipe.learning_rate, weight_decay=recipe.weight_decay),
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=[keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
    )
    best = keras.callbacks.EarlyStopping(patience=recipe.patience, restore_best_weights=True)
    history = head.fit(
        training.values,
        training.labels[:, None],
        batch_size=recipe.head_batch,
        epochs=recipe.epochs,
        validation_data=(validation.values, validation.labels[:, None]),
        callbacks=[best],
        verbose=0,
    )
    kernel, bias = head.layers[0].get_weights()
    return Fitted(kernel, bias, pd.DataFrame(history.history))
