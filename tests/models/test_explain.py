import gc
import weakref

import numpy as np
import pytest

from models import explain
from models.bundle import Bundle
from models.engines.base import Engine
from models.engines.openvino import OpenVinoEngine
from models.engines.scripted import ScriptedEngine
from models.engines.tensorflow import TensorFlowEngine
from models.errors import EngineError
from models.resnet50 import FEATURES, LOGIT
from tests.models.conftest import Random, Toy

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def opened(kind: str, bundle: Bundle) -> Engine:
    return TensorFlowEngine(bundle, 4, "float32") if kind == "tensorflow" else OpenVinoEngine(bundle, 4)


def test_with_a_linear_head_all_places_and_the_bias_add_up_to_the_logit(toy: Toy, pixels: Random) -> None:
    bundle, pictures = toy("linear"), pixels(6, 32)
    engine = opened("tensorflow", bundle)
    maps = explain.class_activation_maps(bundle, engine, pictures)
    assert maps.shape == (6, 8, 8)
    assert maps.dtype == np.float32
    bias = bundle.load_network().get_layer(LOGIT).get_weights()[1]
    np.testing.assert_allclose(maps.sum(axis=(1, 2)) + bias, engine.logits(pictures), atol=1e-4)
    assert maps.std(axis=(1, 2)).min() > 1e-3  # and they differ


def test_with_a_curved_head_a_place_has_the_change_of_the_logit(toy: Toy, pixels: Random) -> None:
    import keras

    bundle, pictures = toy("curved"), pixels(3, 32)
    engine = opened("tensorflow", bundle)
    maps, activations = explain.class_activation_maps(bundle, engine, pictures), engine.last_map(pictures)
    network = bundle.load_network()
    head = keras.Model(network.get_layer(FEATURES).output, network.get_layer(LOGIT).output)
    features, step = activations.mean(axis=(1, 2)), 0.01
    for y, x in ((0, 0), (2, 5), (7, 1)):
        share = step * activations[:, y, x] / 64
        change = np.asarray(head(features + share)) - np.asarray(head(features - share))
        np.testing.assert_allclose(maps[:, y, x], change[:, 0] / (2 * step), rtol=0.01, atol=2e-5)


@pytest.mark.parametrize("head", ["linear", "curved"])
def test_a_complete_map_adds_up_to_the_logit_and_keeps_its_differences(toy: Toy, pixels: Random, head: str) -> None:
    bundle, pictures = toy(head), pixels(3, 32)
    engine = opened("tensorflow", bundle)
    maps, logits = explain.class_activation_maps(bundle, engine, pictures), engine.logits(pictures)
    whole = explain.complete(maps, logits)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(whole.sum(axis=(1, 2)), logits, atol=1e-4)
    np.testing.assert_allclose(whole - whole[:, :1, :1], maps - maps[:, :1, :1], atol=1e-6)


def test_a_map_does_not_depend_on_the_other_photos(toy: Toy, pixels: Random) -> None:
    bundle, pictures = toy("curved"), pixels(4, 32)
    engine = opened("tensorflow", bundle)
    together = explain.class_activation_maps(bundle, engine, pictures)
    np.testing.assert_allclose(explain.class_activation_maps(bundle, engine, pictures[2:3])[0], together[2], atol=1e-5)
    assert np.abs(together[2] - together[1]).max() > 1e-3


@pytest.mark.parametrize("kind", ["tensorflow", "openvino"])
def test_a_place_in_the_map_is_at_its_place_in_the_photo(toy: Toy, kind: str) -> None:
    plain = np.full((1, 32, 32, 3), 128, np.uint8)
    marked = plain.copy()
    marked[:, 8:12, 24:28] = (255, 0, 60)  # place 2, 6
    bundle = toy("linear")
    before, after = (
        explain.class_activation_maps(bundle, opened(kind, bundle), pictures)[0] for pictures in (plain, marked)
    )
    changed = np.argwhere(np.abs(after - before) > 1e-3)
    assert changed.tolist()
    assert np.abs(changed - (2, 6)).max() <= 1


def test_both_engines_give_nearly_the_same_map(toy: Toy, pixels: Random) -> None:
    bundle, pictures = toy("curved"), pixels(8, 32)
    first, second = (
        explain.class_activation_maps(bundle, opened(kind, bundle), pictures) for kind in ("tensorflow", "openvino")
    )
    np.testing.assert_allclose(first, second, atol=0.03 * np.abs(first).max())


@pytest.mark.parametrize("head", ["linear", "curved"])
def test_a_cached_head_gives_the_same_maps_and_releases_the_network(
    toy: Toy, pixels: Random, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, pictures = toy(head), pixels(3, 32)
    engine = opened("openvino", bundle)
    expected = explain.class_activation_maps(bundle, engine, pictures)
    networks = [bundle.load_network()]
    loaded = weakref.ref(networks[0])
    monkeypatch.setattr(Bundle, "load_network", lambda _: networks.pop())
    judge = explain.load_head(bundle, 32)
    gc.collect()
    assert loaded() is None
    for _ in range(2):
        np.testing.assert_allclose(explain.contributions(judge, engine.last_map(pictures)), expected, atol=1e-6)


@pytest.mark.parametrize("side", [32, 16])
def test_the_head_of_each_side_is_the_one_that_decides(cascaded: Bundle, pixels: Random, side: int) -> None:
    engine, pictures = opened("openvino", cascaded), pixels(3, side)
    activations = engine.last_map(pictures)
    logits = np.asarray(explain.load_head(cascaded, side)(activations.mean(axis=(1, 2))))
    np.testing.assert_allclose(logits[:, 0], engine.logits(pictures), atol=1e-4)
    maps = explain.class_activation_maps(cascaded, engine, pictures)
    assert maps.shape == (3, side // 4, side // 4)


def test_the_scripted_engine_has_no_map(toy: Toy, pixels: Random) -> None:
    with pytest.raises(EngineError, match="scripted engine has no feature map"):
        explain.class_activation_maps(toy("linear"), ScriptedEngine(), pixels(1, 32))
