from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import resnet50
from models.engines.tensorflow import load_tensorflow
from models.errors import WeightsError
from tests.models.conftest import Random

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A stock Keras ResNet-50 with random weights, and the file that holds them."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = keras.applications.ResNet50(include_top=False, weights=None, pooling="avg")
    path = tmp_path_factory.mktemp("weights") / "stock.weights.h5"
    network.save_weights(path)
    return network, path


def test_bytes_go_in_and_one_logit_comes_out(pixels: Random) -> None:
    network = resnet50.build(64)
    assert network.input.dtype == "uint8"
    logits = np.asarray(network(pixels(3, 64)))
    assert logits.shape == (3, 1)
    assert logits.dtype == np.float32


def test_rgb_pictures_give_the_features_that_keras_gives(stock: tuple[Any, Path], pixels: Random) -> None:
    import keras

    reference, path = stock
    network = resnet50.build(64)
    resnet50.load_imagenet(network, path)
    pictures = pixels(2, 64)
    ours = np.asarray(resnet50.backbone(network)(pictures))
    theirs = np.asarray(reference(keras.applications.resnet.preprocess_input(pictures.astype(np.float32))))
    assert ours.shape == (2, 2048)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.max()))
    swapped = np.asarray(resnet50.backbone(network)(pictures[..., ::-1]))
    assert np.abs(swapped - theirs).max() > 10 * np.abs(ours - theirs).max()


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")  # Keras, before it raises
@pytest.mark.parametrize("holds", ["text", "another network"])
def test_another_file_is_told(tmp_path: Path, holds: str) -> None:
    load_tensorflow()
    import keras

    path = tmp_path / "notes.weights.h5"
    if holds == "text":
        path.write_bytes(b"not weights")
    else:
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(WeightsError, match=r"notes\.weights\.h5"):
        resnet50.load_imagenet(resnet50.build(64), path)
