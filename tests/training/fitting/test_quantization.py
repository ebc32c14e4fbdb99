import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.bundle import HEADS, INT8, INT8_WEIGHTS, NETWORK, Bundle
from models.engines import open_engine
from models.engines.openvino import OpenVinoEngine
from models.engines.tensorflow import load_tensorflow
from models.errors import EngineError
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP
from training.fitting.quantization import export_int8

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning", "ignore::DeprecationWarning:nncf"),
]


def smooth_photos(photos: int) -> Pixels:
    """Random smooth photos: uint8 (n, 224, 224, 3)."""
    coarse = np.random.default_rng(photos).integers(0, 256, (photos, 7, 7, 3), dtype=np.uint8)
    return coarse.repeat(32, axis=1).repeat(32, axis=2)


@pytest.fixture(scope="module")
def network() -> Any:
    load_tensorflow()
    return Bundle.load().load_network()


@pytest.fixture(scope="module")
def exported(network: Any, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The shipped model with an int8 model beside it, calibrated on a few photos of both sides."""
    import keras

    folder = tmp_path_factory.mktemp("bundle")
    shipped = Bundle.load()
    for name in (NETWORK, HEADS):
        shutil.copy(shipped.folder / name, folder)
    base = keras.saving.load_model(folder / NETWORK, compile=False)
    names = export_int8(base, smooth_photos(16), folder, cascade_side=128)
    assert names == (INT8, INT8_WEIGHTS)
    files = dict.fromkeys((NETWORK, HEADS, *names), "")
    return Bundle.write(folder, shipped.card.model_copy(update={"files": files}))


def test_the_files_are_small_and_their_digests_are_checked(exported: Bundle) -> None:
    assert (exported.folder / INT8_WEIGHTS).stat().st_size < 30e6
    assert set(exported.card.files) == {NETWORK, HEADS, INT8, INT8_WEIGHTS}
    (exported.folder / INT8_WEIGHTS).rename(exported.folder / "away")
    with pytest.raises(Exception, match=INT8_WEIGHTS):
        Bundle.load(exported.folder)
    (exported.folder / "away").rename(exported.folder / INT8_WEIGHTS)


def test_auto_runs_the_int8_model_on_a_cpu_with_logits_close_to_the_networks(exported: Bundle, network: Any) -> None:
    engine = open_engine("auto", exported, 32)
    assert engine.name.startswith("openvino int8")
    assert engine.largest == 24  # small pictures
    pixels = smooth_photos(16)
    expected = np.asarray(network(pixels))[:, 0]
    logits = engine.logits(pixels)
    assert logits.dtype == np.float32
    # 0.94 with VNNI: it is calibrated on eight pictures of each side. With AVX2 alone sums of two products saturate.
    assert np.corrcoef(logits, expected)[0, 1] > 0.9
    alone = np.concatenate([engine.logits(pixels[index : index + 1]) for index in range(5)])
    np.testing.assert_allclose(engine.logits(pixels[:5]), alone, atol=1e-3)


def test_the_last_map_of_the_int8_model_is_close_to_the_networks(exported: Bundle, network: Any) -> None:
    import keras

    pixels = smooth_photos(3)
    expected = np.asarray(keras.Model(network.input, network.get_layer(LAST_MAP).output)(pixels))
    last_map = OpenVinoEngine(exported, 1).last_map(pixels)
    assert last_map.shape == expected.shape == (3, 7, 7, 2048)
    assert np.corrcoef(last_map.ravel(), expected.ravel())[0, 1] > 0.9


def test_without_an_int8_model_tensorflow_runs_the_bundle_and_openvino_gives_an_error(plain: Bundle) -> None:
    assert open_engine("auto", plain, 1).name.startswith("tensorflow")
    with pytest.raises(EngineError, match="has no OpenVINO model"):
        OpenVinoEngine(plain, 1)


def test_a_broken_model_is_an_error(exported: Bundle, tmp_path: Path) -> None:
    for name in exported.card.files:
        (tmp_path / name).write_bytes(b"not a model")
    broken = Bundle.write(tmp_path, exported.card)
    with pytest.raises(EngineError, match=r"cannot run .*int8\.xml"):
        OpenVinoEngine(broken, 1)
