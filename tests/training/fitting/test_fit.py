from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.progress import Progress

from models import resnet50
from models.engines.tensorflow import load_tensorflow
from models.images.decode import Fit
from training.fitting import fit as module
from training.fitting.checkpoint import Checkpoint
from training.fitting.feature_cache import DecodedSplit
from training.fitting.fit import FittedModel, fit
from training.fitting.recipe import Recipe

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

LAST = "conv5_block3_3_conv"


def photos(split: str, count: int, seed: int) -> DecodedSplit:
    """Random photos; those of food are reddish."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    pixels = random.integers(0, 120, (count, 32, 32, 3), dtype=np.uint8)
    pixels[labels == 1, ..., 0] += 120
    return DecodedSplit(split, pixels, labels, [])


def fit_random_network(out: Path, recipe: Recipe) -> tuple[FittedModel, Any]:
    """A random network after fitting, and the kernel of its last convolution before."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = resnet50.build(32)
    before = network.get_layer(LAST).get_weights()[0]
    with Progress(disable=True) as progress:
        fitted = fit(
            network,
            photos("training", 24, 1),
            photos("validation", 12, 2),
            recipe=recipe,
            checkpoint=Checkpoint(out, {}),
            progress=progress,
        )
    return fitted, before


def test_the_head_alone_distinguishes_red_from_blue_and_leaves_the_backbone(tmp_path: Path) -> None:
    fitted, before = fit_random_network(tmp_path / "out", Recipe(fit=Fit(32)))
    labels = photos("validation", 12, 2).labels
    assert fitted.history is None
    assert ((fitted.validation_logits > 0) == (labels == 1)).all()
    np.testing.assert_array_equal(fitted.network.get_layer(LAST).get_weights()[0], before)
    direct = np.asarray(fitted.network(photos("validation", 12, 2).pixels))[:, 0]
    np.testing.assert_allclose(
        direct, fitted.validation_logits, atol=0.05
    )  # the features were computed in another precision


@pytest.mark.parametrize("better", [True, False])
def test_fine_tuning_is_kept_only_if_the_validation_loss_is_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    def tuned(network: Any, *_: Any, **__: Any) -> pd.DataFrame:
        kernel, bias = network.get_layer(LAST).get_weights()
        network.get_layer(LAST).set_weights([kernel + 0.01, bias])
        return pd.DataFrame({"epoch": [0, 1]})

    losses = iter([0.1, 0.2] if better else [0.2, 0.1])
    monkeypatch.setattr(module, "finetune", tuned)
    monkeypatch.setattr(module, "_loss", lambda *_: next(losses))
    fitted, before = fit_random_network(tmp_path / "out", Recipe(fit=Fit(32), finetune_epochs=1, finetune_views=3))
    assert fitted.history is not None
    kernel = fitted.network.get_layer(LAST).get_weights()[0]
    np.testing.assert_allclose(kernel, before + 0.01 if better else before, atol=1e-7)
