from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.progress import Progress

from models import resnet50
from models.engines.tensorflow import load_tensorflow
from models.images.decode import Fit
from tests.training.fitting.test_fit import photos
from training.fitting import backbone as module
from training.fitting.checkpoint import Checkpoint
from training.fitting.recipe import Recipe

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

LAST = "conv5_block3_3_conv"


@pytest.mark.parametrize("better", [True, False])
def test_fine_tuning_is_kept_only_if_the_validation_loss_is_lower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, better: bool
) -> None:
    def tuned(network: Any, *_: Any, **__: Any) -> pd.DataFrame:
        kernel, bias = network.get_layer(LAST).get_weights()
        network.get_layer(LAST).set_weights([kernel + 0.01, bias])
        return pd.DataFrame({"epoch": [0, 1]})

    losses = iter([0.2, 0.1] if better else [0.1, 0.2])  # of the network before, and after
    monkeypatch.setattr(module, "finetune", tuned)
    monkeypatch.setattr(module, "cross_entropy", lambda *_: next(losses))
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = resnet50.build()
    before = network.get_layer(LAST).get_weights()[0]
    with Progress(disable=True) as progress:
        history = module.finetune_if_better(
            network,
            photos("training", 24, 1),
            photos("validation", 12, 2),
            recipe=Recipe(fit=Fit(32), finetune_epochs=1, finetune_views=3),
            checkpoint=Checkpoint(tmp_path / "out", {}),
            progress=progress,
        )
    assert list(history["epoch"]) == [0, 1]
    kernel = network.get_layer(LAST).get_weights()[0]
    np.testing.assert_allclose(kernel, before + 0.01 if better else before, atol=1e-7)
