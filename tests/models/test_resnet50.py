from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import head, resnet50
from models.engines.tensorflow import load_tensorflow
from models.errors import WeightsError
from models.imagenet import FOOD, OTHER
from tests.models.conftest import Random

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A stock Keras ResNet-50 with random weights, and the file that holds them."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    network = keras.applications.ResNet50(weights=None)
    path = tmp_path_factory.mktemp("weights") / "stock.weights.h5"
    network.save_weights(path)
    return network, path


@pytest.mark.parametrize("side", [32, 64])
def test_bytes_of_any_side_go_in_and_directions_and_evidence_come_out(pixels: Random, side: int) -> None:
    network = resnet50.build()
    assert network.input.dtype == "uint8"
    compared = np.asarray(network(pixels(3, side)))
    assert compared.shape == (3, 2049)
    assert compared.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(compared[:, :-1], axis=1), 1, rtol=1e-5)


def test_features_and_evidence_equal_those_of_keras(stock: tuple[Any, Path], pixels: Random) -> None:
    import keras

    reference, path = stock
    network = resnet50.build()
    resnet50.load_imagenet(network, path)
    pictures = pixels(2)
    prepared = keras.applications.resnet.preprocess_input(pictures.astype(np.float32))
    theirs = np.asarray(keras.Model(reference.input, reference.get_layer("avg_pool").output)(prepared))
    ours = np.asarray(resnet50.backbone(network)(pictures))
    assert ours.shape == (2, 2048)
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3 * float(theirs.max()))
    swapped = np.asarray(resnet50.backbone(network)(pictures[..., ::-1]))
    assert np.abs(swapped - theirs).max() > 10 * np.abs(ours - theirs).max()

    # The logarithms of probabilities differ from logits by the same number for all classes.
    logits = np.log(np.asarray(reference(prepared)))
    evidence = logits[:, list(FOOD)].max(axis=1) - logits[:, list(OTHER)].max(axis=1)
    compared = np.asarray(keras.Model(network.input, network.get_layer(head.COMPARED).output)(pictures))
    np.testing.assert_allclose(compared[:, 2048], evidence, rtol=1e-2, atol=1e-3)


def test_the_food_classes_of_imagenet_are_dishes_and_ingredients() -> None:
    assert len(FOOD) == 45
    assert sorted((*FOOD, *OTHER)) == list(range(1000))
    guacamole, cup, burrito, corn, tench = 924, 968, 965, 987, 0
    assert {guacamole, burrito, corn} < set(FOOD)
    assert {cup, tench} < set(OTHER)


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")  # Keras, before it raises
@pytest.mark.parametrize("holds", ["text", "another network"])
def test_a_file_of_other_weights_is_named(tmp_path: Path, holds: str) -> None:
    load_tensorflow()
    import keras

    path = tmp_path / "notes.weights.h5"
    if holds == "text":
        path.write_bytes(b"not weights")
    else:
        keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    with pytest.raises(WeightsError, match=r"notes\.weights\.h5"):
        resnet50.load_imagenet(resnet50.build(), path)
