"""Trains the last stage of the backbone a little, so that its features fit food better than ImageNet's do."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from rich.progress import Progress
from sklearn.linear_model import LogisticRegression

from models.engines.gpu import gpu_present
from models.engines.tensorflow import mix_float16
from models.head import COMPARED, submodel
from training.fitting.checkpoint import Array, Work
from training.fitting.features import Labels
from training.fitting.recipe import Recipe

if TYPE_CHECKING:
    import keras

CUT = "conv4_block6_out"
"""The layer after which the backbone is trained; what comes before it is computed once for each view of a photo."""
HISTORY = "history.csv"
STATE = "finetune.weights.h5"
BEST = "best.weights.h5"

Batches = Iterator[tuple[Any, Any]]


def finetune(
    network: "keras.Model",
    views: list[Array],
    labels: Labels,
    validation: tuple[Array, Labels],
    recipe: Recipe,
    work: Work,
    progress: Progress,
) -> pd.DataFrame:
    """Trains the convolutions after `CUT`; `network` keeps the epoch that is best on validation, by cross-entropy.

    views: float16 (m, h, w, c) each, what comes out of `CUT` for one view of the same m photos; labels: (m,), 1 = food;
    validation: the same of other photos. The head of this stage is linear and keeps what it is fitted to at the start;
    batch normalisation stays as ImageNet left it. Every finished epoch is kept in `work`, and the next start goes on
    from it. Returns the history, one row an epoch; epoch 0 is the state before the first.
    """
    tail = submodel(network, CUT, COMPARED)
    model = _compiled(tail, _linear_head(tail, views[0], labels), len(views) * len(labels), recipe)
    history: list[dict[str, float]] = []
    if finished := work.path(HISTORY):
        history = pd.read_csv(finished).to_dict("records")  # type: ignore[assignment]  # columns are text
        model.load_weights(work.folder / f"{len(history) - 1}-{STATE}")
    for epoch in range(len(history), recipe.finetune_epochs + 1):
        if _stale(history, recipe.finetune_patience):
            break
        row = (
            _epoch(model, views, labels, recipe, epoch, progress)
            if epoch
            else dict.fromkeys(("loss", "accuracy", "cross_entropy"), np.nan)
        )
        shown = _batches([validation[0]], validation[1], recipe, None)
        steps = _steps(len(validation[1]), recipe)
        judged = model.evaluate(shown, steps=steps, verbose=0, return_dict=True)
        history.append({"epoch": epoch, **row, **{f"val_{name}": value for name, value in judged.items()}})
        if min(history, key=_loss) is history[-1]:
            work.write(BEST, tail.save_weights)
        # The history comes last: it says which state is whole.
        work.write(f"{epoch}-{STATE}", model.save_weights)
        work.write(HISTORY, lambda path: pd.DataFrame(history).to_csv(path, index=False))
        (work.folder / f"{epoch - 1}-{STATE}").unlink(missing_ok=True)
    tail.load_weights(work.folder / BEST)
    return pd.DataFrame(history)


def _linear_head(tail: "keras.Model", view: Array, labels: Labels) -> "keras.layers.Layer":
    """A dense layer with a logistic regression on what the tail makes of a view."""
    import keras

    seen = np.concatenate(
        [np.asarray(tail(np.asarray(view[at : at + 32], np.float32))) for at in range(0, len(view), 32)]
    )
    # So that one penalty suits both: directions have length 1, evidence reaches 20. Its square is left out.
    scales = np.array([*np.full(seen.shape[1] - 2, 6.0), 0.33, 0.0])
    fitted = LogisticRegression(max_iter=1000).fit(seen * scales, labels)
    head = keras.layers.Dense(1, trainable=False, dtype="float32")
    head.build(seen.shape)
    head.set_weights([(fitted.coef_ * scales).T, fitted.intercept_])
    return head


def _compiled(tail: "keras.Model", head: "keras.layers.Layer", shown: int, recipe: Recipe) -> "keras.Model":
    """The model that is trained: `shown` pictures an epoch, only the convolutions' kernels and biases learn."""
    import keras

    for layer in tail.layers:
        layer.trainable = isinstance(layer, keras.layers.Conv2D)
    steps = recipe.finetune_epochs * _steps(shown, recipe)
    warm = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, steps - warm), warmup_target=recipe.finetune_rate, warmup_steps=max(1, warm)
    )
    model = keras.Model(tail.input, head(tail.output))
    optimizer = keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=recipe.weight_decay)
    if gpu_present():
        mix_float16(tail)
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)  # float16 would round small gradients to nothing
    model.compile(
        optimizer,
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=[
            keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0),
            # The loss would also fall for becoming as unsure as the smoothed labels are.
            keras.metrics.BinaryCrossentropy(name="cross_entropy", from_logits=True),
        ],
    )
    model.optimizer.build(model.trainable_variables)
    return model


def _epoch(
    model: "keras.Model", views: list[Array], labels: Labels, recipe: Recipe, epoch: int, progress: Progress
) -> dict[str, float]:
    import keras

    steps = _steps(len(views) * len(labels), recipe)
    task = progress.add_task(f"epoch {epoch} of {recipe.finetune_epochs}", total=steps)
    bar = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: progress.update(task, completed=batch + 1)
    )
    fitted = model.fit(
        _batches(views, labels, recipe, epoch), steps_per_epoch=steps, callbacks=[bar], verbose=0, shuffle=False
    )
    return {name: values[-1] for name, values in fitted.history.items()}


def _batches(views: list[Array], labels: Labels, recipe: Recipe, epoch: int | None) -> Batches:
    """Batches of activations and labels; in an order that depends on the seed and the epoch alone, or as they lie."""
    order = np.arange(len(views) * len(labels))
    if epoch is not None:
        np.random.default_rng([recipe.seed, epoch]).shuffle(order)
    for at in range(0, len(order), recipe.finetune_batch):
        chosen = [divmod(index, len(labels)) for index in order[at : at + recipe.finetune_batch]]
        pictures = np.stack([views[view][row] for view, row in chosen]).astype(np.float32)
        yield pictures, labels[[row for _, row in chosen]].astype(np.float32)[:, None]


def _steps(shown: int, recipe: Recipe) -> int:
    """Batches that hold `shown` pictures."""
    return math.ceil(shown / recipe.finetune_batch)


def _stale(history: list[dict[str, float]], patience: int) -> bool:
    """Whether validation has not become better for `patience` epochs."""
    return bool(history) and len(history) - 1 - history.index(min(history, key=_loss)) >= patience


def _loss(row: dict[str, float]) -> float:
    return row["val_cross_entropy"]
