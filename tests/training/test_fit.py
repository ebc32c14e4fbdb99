import dataclasses

import numpy as np
import pytest

from training.features import Outputs
from training.fit import Fitted, fit_head
from training.recipe import Recipe

QUICK = Recipe(epochs=12, patience=12, learning_rate=0.1, head_batch=32, weight_decay=0.0)


def clouds(photos: int, seed: int, apart: float) -> Outputs:
    """Features (n, 6) of two classes whose means differ in two of the six by `apart` standard deviations."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, photos)
    values = random.normal(size=(photos, 6))
    values[:, :2] += apart * (labels[:, None] - 0.5)
    return Outputs(values.astype(np.float32), labels, [])


def loss(head: Fitted, seen: Outputs) -> float:
    """Binary cross-entropy of a head."""
    logits = (seen.values @ head.kernel + head.bias)[:, 0].astype(np.float64)
    return float(np.logaddexp(0, np.where(seen.labels == 1, -logits, logits)).mean())


def test_a_head_learns_what_can_be_separated() -> None:
    head = fit_head(clouds(300, 1, 8.0), validation := clouds(100, 2, 8.0), QUICK)
    assert head.kernel.shape == (6, 1)
    assert head.bias.shape == (1,)
    assert head.kernel.dtype == head.bias.dtype == np.float32
    predicted = (validation.values @ head.kernel + head.bias)[:, 0] > 0
    assert (predicted == (validation.labels == 1)).all()
    assert np.abs(head.kernel[:2]).min() > 3 * np.abs(head.kernel[2:]).max()


@pytest.mark.parametrize("patience", [3, 1000])
def test_the_epoch_with_the_least_validation_loss_is_kept(patience: int) -> None:
    # One feature that is the label in training and only seven times in ten in validation: the loss there turns.
    values = np.array([[-1.0], [1.0]] * 50, np.float32)
    labels = np.array([0, 1] * 50)
    misled = labels.copy()
    misled[:30] = 1 - misled[:30]
    validation = Outputs(values, misled, [])
    head = fit_head(Outputs(values, labels, []), validation, dataclasses.replace(QUICK, patience=patience, epochs=30))
    losses = head.history["val_loss"].to_numpy()
    best = int(losses.argmin())
    assert 0 < best < len(losses) - 1
    assert len(losses) == min(best + 1 + patience, 30)
    assert loss(head, validation) == pytest.approx(losses[best], rel=1e-4)
    assert loss(head, validation) < losses[-1] - 1e-4


def test_the_history_has_a_row_an_epoch() -> None:
    head = fit_head(clouds(100, 1, 2.0), clouds(50, 2, 2.0), dataclasses.replace(QUICK, epochs=3))
    assert len(head.history) == 3
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} <= set(head.history.columns)
    assert head.history["loss"].is_monotonic_decreasing
    assert head.history["val_accuracy"].iloc[-1] > 0.8


def test_the_same_seed_gives_the_same_head_and_another_one_does_not() -> None:
    training, validation = clouds(200, 1, 1.0), clouds(100, 2, 1.0)
    recipe = dataclasses.replace(QUICK, epochs=2)
    first, again = fit_head(training, validation, recipe), fit_head(training, validation, recipe)
    np.testing.assert_array_equal(first.kernel, again.kernel)
    other = fit_head(training, validation, dataclasses.replace(recipe, seed=2))
    assert not np.array_equal(first.kernel, other.kernel)


def test_the_head_starts_at_zero() -> None:
    head = fit_head(clouds(50, 1, 1.0), clouds(50, 2, 1.0), dataclasses.replace(QUICK, epochs=1, learning_rate=1e-7))
    assert np.abs(head.kernel).max() < 1e-5


def test_weight_decay_makes_the_head_smaller() -> None:
    training, validation = clouds(200, 1, 8.0), clouds(100, 2, 8.0)
    free = fit_head(training, validation, QUICK)
    held = fit_head(training, validation, dataclasses.replace(QUICK, weight_decay=2.0))
    assert np.abs(held.kernel).sum() < 0.8 * np.abs(free.kernel).sum()
