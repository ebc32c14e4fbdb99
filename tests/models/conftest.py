import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from models import resnet50
from models.bundle import INT8, INT8_WEIGHTS, NETWORK, Bundle
from models.engines.openvino import convert, load_openvino
from models.engines.tensorflow import load_tensorflow
from models.images.decode import Fit, Pixels

Random = Callable[..., Pixels]
Toy = Callable[[str], Bundle]


@pytest.fixture(scope="session")
def shipped() -> Bundle:
    """The shipped bundle."""
    return Bundle.load()


@pytest.fixture(scope="session")
def network(shipped: Bundle) -> Any:
    """The Keras network of the shipped bundle."""
    load_tensorflow()
    return shipped.load_network()


@pytest.fixture(scope="session")
def toy(shipped: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """Bundles of a tiny random network with the shipped one's layer names, side 32, and a linear or a curved head.

    Their int8 files hold a float32 model, which OpenVINO runs as well.
    """
    load_tensorflow()
    import keras

    def make(head: str) -> Bundle:
        keras.utils.set_random_seed(3)
        given = keras.Input((32, 32, 3), dtype="uint8", name="pixels")
        found = keras.layers.Rescaling(1 / 64, -2.0)(given)
        for strides in (2, 2):
            found = keras.layers.Conv2D(8, 3, strides=strides, padding="same")(found)
        last = keras.layers.Activation("relu", name=resnet50.LAST_MAP)(found)
        features = keras.layers.GlobalAveragePooling2D(name=resnet50.FEATURES)(last)
        if head == "curved":
            features = keras.layers.UnitNormalization()(features)
            features = keras.layers.Dense(6, activation="tanh")(features)
        logit = keras.layers.Dense(1, bias_initializer="ones", dtype="float32", name=resnet50.LOGIT)(features)
        network = keras.Model(given, logit)
        folder = tmp_path_factory.mktemp("toy")
        network.save(folder / NETWORK)
        load_openvino().save_model(convert(network), folder / INT8, compress_to_fp16=False)
        files = dict.fromkeys((NETWORK, INT8, INT8_WEIGHTS), "")
        return Bundle.write(folder, shipped.card.model_copy(update={"files": files, "fit": Fit(side=32)}))

    return functools.cache(make)


@pytest.fixture
def pixels() -> Random:
    """Random pictures: uint8 (n, side, side, 3)."""

    def make(photos: int, side: int = 224) -> Pixels:
        # Smooth, as photos are: the network's answer to plain noise is far outside what it was trained on.
        patch = min(32, side // 4)
        size = (photos, side // patch, side // patch, 3)
        coarse = np.random.default_rng(photos).integers(0, 256, size, dtype=np.uint8)
        return coarse.repeat(patch, axis=1).repeat(patch, axis=2)

    return make
