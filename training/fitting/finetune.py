"""Fine-tunes the last stage of the backbone, so that its features fit food better than ImageNet's do."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.progress import Progress
from sklearn.linear_model import LogisticRegression

from models.engines.gpu import gpu_present
from models.engines.tensorflow_graph import mix_float16
from models.head import COMPARED, submodel
from training.fitting.checkpoint import Array, Checkpoint
from training.fitting.features import Labels
from training.fitting.recipe import Recipe

if TYPE_CHECKING:
    import keras

FIRST_TRAINED_AFTER = "conv4_block6_out"
"""The last frozen layer. Its activations are computed once for each view; the layers after it are trained."""
HISTORY = "history.csv"
STATE = "finetune.weights.h5"
BEST = "best.weights.h5"

Batches = Iterator[tuple[Any, Any]]
EpochMetrics = dict[str, float]


@dataclass(frozen=True)
class FinetuneData:
    """Activations of the last frozen layer, and the labels of their photos (1 = food).

    Attributes:
        views: One array float16 (m, h, w, c) for each view of the same m training photos.
        labels: (m,).
        validation: float16 (v, h, w, c).
        validation_labels: (v,).
    """

    views: list[Array]
    labels: Labels
    validation: Array
    validation_labels: Labels

    @property
    def training_size(self) -> int:
        """Examples in an epoch."""
        return len(self.views) * len(self.labels)


def finetune(
    network: "keras.Model", data: FinetuneData, *, recipe: Recipe, checkpoint: Checkpoint, progress: Progress
) -> pd.DataFrame:
    """Trains the convolutions of the last stage and leaves the best epoch's weights in `network`.

    The best epoch is the one with the lowest validation cross-entropy. The training uses a linear head, which is
    fitted at the start and then frozen; batch normalization keeps ImageNet's statistics. Each finished epoch is
    checkpointed, and the next run resumes after it.

    Args:
        network: The network; it is changed in place.
        data: The activations to learn from.
        recipe: The hyper-parameters.
        checkpoint: Keeps the history and the weights.
        progress: Gets a bar for each epoch.

    Returns:
        The history, one row an epoch. Epoch 0 is the state before the training.
    """
    last_stage = submodel(network, FIRST_TRAINED_AFTER, COMPARED)
    model = _compile(last_stage, _linear_head(last_stage, data.views[0], data.labels), data.training_size, recipe)
    history: list[EpochMetrics] = []
    if finished := checkpoint.path(HISTORY):
        history = pd.read_csv(finished).to_dict("records")  # type: ignore[assignment]  # columns are text
        model.load_weights(checkpoint.folder / f"{len(history) - 1}-{STATE}")
    for epoch in range(len(history), recipe.finetune_epochs + 1):
        if _stops_early(history, recipe.finetune_patience):
            break
        if epoch:
            trained = _train_epoch(model, data, recipe=recipe, epoch=epoch, progress=progress)
        else:
            trained = dict.fromkeys(("loss", "accuracy", "cross_entropy"), np.nan)
        history.append({"epoch": epoch, **trained, **_validate(model, data, recipe)})
        if min(history, key=_validation_loss) is history[-1]:
            checkpoint.write(BEST, last_stage.save_weights)
        # The history is written last: its length says which state is complete.
        checkpoint.write(f"{epoch}-{STATE}", model.save_weights)
        checkpoint.write(HISTORY, lambda path: pd.DataFrame(history).to_csv(path, index=False))
        (checkpoint.folder / f"{epoch - 1}-{STATE}").unlink(missing_ok=True)
    last_stage.load_weights(checkpoint.folder / BEST)
    return pd.DataFrame(history)


def _linear_head(last_stage: "keras.Model", view: Array, labels: Labels) -> "keras.layers.Layer":
    """Returns a dense layer with the weights of a logistic regression on the outputs of the last stage."""
    import keras

    starts = range(0, len(view), 32)
    outputs = np.concatenate(
        [np.asarray(last_stage(np.asarray(view[start : start + 32], np.float32))) for start in starts]
    )
    # One penalty for both: feature directions have length 1, evidence reaches 20.
    scales = np.array([*np.full(outputs.shape[1] - 1, 6.0), 0.33])
    regression = LogisticRegression(max_iter=1000).fit(outputs * scales, labels)
    head = keras.layers.Dense(1, trainable=False, dtype="float32")
    head.build(outputs.shape)
    head.set_weights([(regression.coef_ * scales).T, regression.intercept_])
    return head


def _compile(
    last_stage: "keras.Model", head: "keras.layers.Layer", training_size: int, recipe: Recipe
) -> "keras.Model":
    """Compiles the trained model; only the kernels and biases of convolutions are trainable."""
    import keras

    for layer in last_stage.layers:
        layer.trainable = isinstance(layer, keras.layers.Conv2D)
    steps = recipe.finetune_epochs * _steps(training_size, recipe)
    warmup_steps = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, steps - warmup_steps),
        warmup_target=recipe.finetune_rate,
        warmup_steps=max(1, warmup_steps),
    )
    model = keras.Model(last_stage.input, head(last_stage.output))
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=recipe.weight_decay)
    if gpu_present():
        mix_float16(last_stage)
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)  # float16 rounds small gradients to zero
    model.compile(
        optimizer,
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[
            keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
            # The loss rewards confidence as low as that of the smoothed labels; the cross-entropy does not.
            keras.metrics.BinaryCrossentropy(name="cross_entropy", from_logits=True),
        ],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _train_epoch(
    model: "keras.Model", data: FinetuneData, *, recipe: Recipe, epoch: int, progress: Progress
) -> EpochMetrics:
    import keras

    steps = _steps(data.training_size, recipe)
    task = progress.add_task(f"epoch {epoch} of {recipe.finetune_epochs}", total=steps)
    bar = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: progress.update(task, completed=batch + 1)
    )
    order = np.arange(data.training_size)
    np.random.default_rng([recipe.seed, epoch]).shuffle(order)
    batches = _batches(data.views, data.labels, order, recipe.finetune_batch)
    result = model.fit(batches, steps_per_epoch=steps, callbacks=[bar], verbose=0, shuffle=False)
    return {name: values[-1] for name, values in result.history.items()}


def _validate(model: "keras.Model", data: FinetuneData, recipe: Recipe) -> EpochMetrics:
    """The metrics of the validation split; their names begin with `val_`."""
    size = len(data.validation_labels)
    batches = _batches([data.validation], data.validation_labels, np.arange(size), recipe.finetune_batch)
    values = model.evaluate(batches, steps=_steps(size, recipe), verbose=0, return_dict=True)
    return {f"val_{name}": value for name, value in values.items()}


def _batches(views: list[Array], labels: Labels, order: Array, batch: int) -> Batches:
    """Yields batches of activations and labels. An example's index is view × photos + photo."""
    for start in range(0, len(order), batch):
        examples = [divmod(index, len(labels)) for index in order[start : start + batch]]
        activations = np.stack([views[view][row] for view, row in examples]).astype(np.float32)
        yield activations, labels[[row for _, row in examples]].astype(np.float32)[:, None]


def _steps(size: int, recipe: Recipe) -> int:
    """Number of batches that hold `size` examples."""
    return math.ceil(size / recipe.finetune_batch)


def _stops_early(history: list[EpochMetrics], patience: int) -> bool:
    """Returns whether the validation loss has not improved for `patience` epochs."""
    return bool(history) and len(history) - 1 - history.index(min(history, key=_validation_loss)) >= patience


def _validation_loss(row: EpochMetrics) -> float:
    return row["val_cross_entropy"]
