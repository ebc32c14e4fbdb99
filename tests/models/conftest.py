import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models import resnet50
from models.bundle import HEADS, INT8, INT8_WEIGHTS, NETWORK, Bundle
from models.cascade import Cascade
from models.engines.openvino_graph import convert, load_openvino
from models.engines.tensorflow import load_tensorflow
from models.head import Head, attach_features, save_heads
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
        return _write(shipped, folder, (), format_version=1, cascade=None, temperature=0.09, fit=Fit(side=32))

    return functools.cache(make)


@pytest.fixture(scope="session")
def cascaded(shipped: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of a tiny random network with random heads for the sides 32 and 16."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(4)
    pixels = keras.Input((None, None, 3), dtype="uint8", name="pixels")
    scaled = keras.layers.Rescaling(1 / 64, -2.0)(pixels)
    for strides in (2, 2):
        scaled = keras.layers.Conv2D(16, 3, strides=strides, padding="same")(scaled)
    last = keras.layers.Activation("relu", name=resnet50.LAST_MAP)(scaled)
    features = keras.layers.GlobalAveragePooling2D(name=resnet50.FEATURES)(last)
    network = keras.Model(pixels, attach_features(features))
    folder = tmp_path_factory.mktemp("cascaded")
    network.save(folder / NETWORK)
    load_openvino().save_model(convert(network), folder / INT8, compress_to_fp16=False)
    save_heads(folder / HEADS, {32: make_head(1), 16: make_head(2)})
    cascade = Cascade(side=16, margin=1.0)
    return _write(shipped, folder, (HEADS,), format_version=2, cascade=cascade, temperature=1.0, fit=Fit(side=32))


def make_head(seed: int) -> Head:
    """A random head on 16 features and the evidence: 5 components, 7 centres."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> npt.NDArray[np.float32]:
        return random.normal(0, 0.4, shape).astype(np.float32)

    return Head(
        components=normal(17, 5),
        offset=normal(5),
        centres=normal(7, 5),
        gamma=1.5,
        weights=normal(7),
        bias=0.3,
        temperature=0.2,
    ).rounded()


def _write(shipped: Bundle, folder: Path, files: tuple[str, ...], **changes: Any) -> Bundle:
    """Writes the shipped bundle's card with changes to a folder of networks."""
    names = dict.fromkeys((NETWORK, INT8, INT8_WEIGHTS, *files), "")
    return Bundle.write(folder, shipped.card.model_copy(update=changes | {"files": names}))


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
