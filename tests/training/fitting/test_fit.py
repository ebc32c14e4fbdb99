from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from rich.progress import Progress

from models.images.decode import Fit, Pixels
from training.fitting.checkpoint import Checkpoint
from training.fitting.feature_cache import DecodedSplit
from training.fitting.fit import FittedModel, fit
from training.fitting.recipe import Recipe
from training.fitting.views import MIRROR, View


def photos(split: str, count: int, seed: int) -> DecodedSplit:
    """Random photos of six sources; those of food are reddish."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pixels = random.integers(0, 120, (count, 32, 32, 3), dtype=np.uint8)
    pixels[labels == 1, ..., 0] += 120
    return DecodedSplit(
        split=split,
        pixels=pixels,
        labels=labels,
        paths=[f"{row}.jpg" for row in range(count)],
        sources=[f"source {row % 6}" for row in range(count)],
        data_sets=np.zeros(count, int),
        unreadable=[],
    )


def colours(pixels: Pixels) -> npt.NDArray[np.float32]:
    """A network: the direction of the mean colour, and the side as evidence."""
    means = pixels.mean(axis=(1, 2))
    directions = means / np.linalg.norm(means, axis=1, keepdims=True)
    return np.concatenate([directions, np.full((len(pixels), 1), pixels.shape[1])], axis=1, dtype=np.float32)


def fit_colours(out: Path, recipe: Recipe) -> FittedModel:
    with Progress(disable=True) as progress:
        return fit(
            colours,
            photos("training", 48, 1),
            photos("validation", 12, 2),
            recipe=recipe,
            checkpoint=Checkpoint(out, {}),
            progress=progress,
        )


def test_a_head_for_each_side_distinguishes_red_from_blue(tmp_path: Path) -> None:
    fitted = fit_colours(tmp_path / "out", Recipe(fit=Fit(32), cascade_side=16, views=(MIRROR, View("part", 0.5))))
    assert list(fitted.heads) == [32, 16]
    assert fitted.cascade is not None
    assert fitted.cascade.side == 16
    for logits, labels, _ in (fitted.validation, fitted.left_out):
        assert logits.shape == (len(labels), 2)
        assert ((logits > 0) == (labels == 1)[:, None]).all()


@pytest.mark.parametrize("side", [32, 16])
def test_the_logits_on_validation_are_those_of_the_heads(tmp_path: Path, side: int) -> None:
    fitted = fit_colours(tmp_path / "out", Recipe(fit=Fit(32), cascade_side=16))
    pixels = photos("validation", 12, 2).pixels
    small = pixels.reshape(12, 16, 2, 16, 2, 3).mean(axis=(2, 4)) + 0.5  # the mean of areas, rounded
    expected = fitted.heads[side].logits(colours(pixels if side == 32 else small.astype(np.uint8)))
    np.testing.assert_allclose(fitted.validation.logits[:, int(side == 16)], expected, atol=0.3)


def test_without_a_small_side_there_is_one_head_and_no_cascade(tmp_path: Path) -> None:
    fitted = fit_colours(tmp_path / "out", Recipe(fit=Fit(32), cascade_side=0))
    assert list(fitted.heads) == [32]
    assert fitted.cascade is None
    assert ((fitted.validation.p_food(None) > 0.5) == (fitted.validation.labels == 1)).all()
