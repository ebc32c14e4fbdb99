from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from models import head
from models.engines.tensorflow import load_tensorflow
from models.errors import BundleError
from models.head import load_heads, save_heads
from tests.models.conftest import make_head

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

Floats = npt.NDArray[np.float32]


@pytest.fixture
def compared() -> Floats:
    return np.random.default_rng(9).normal(0, 0.4, (6, 17)).astype(np.float32)


def network() -> Any:
    """A network of 16 features without heads."""
    load_tensorflow()
    import keras

    keras.utils.set_random_seed(1)
    features = keras.Input((16,), name="features")
    return keras.Model(features, head.attach_features(features))


def test_the_logit_is_a_sum_of_gaussian_kernels(compared: Floats) -> None:
    machine = make_head(1)
    for x, logit in zip(compared, machine.logits(compared), strict=True):
        z = x @ machine.components + machine.offset
        likeness = np.exp(-machine.gamma * ((z - machine.centres) ** 2).sum(axis=1))
        assert logit == pytest.approx((likeness @ machine.weights + machine.bias) / machine.temperature, abs=1e-4)


def test_saved_heads_are_loaded_as_they_were_in_their_order(tmp_path: Path, compared: Floats) -> None:
    heads = {224: make_head(1), 128: make_head(2)}
    save_heads(tmp_path / "heads.npz", heads)
    loaded = load_heads(tmp_path / "heads.npz")
    assert list(loaded) == [224, 128]
    for side, machine in heads.items():
        np.testing.assert_array_equal(loaded[side].logits(compared), machine.logits(compared))
        assert loaded[side].temperature == machine.temperature


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_file_without_heads_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "heads.npz").write_bytes(content)
    with pytest.raises(BundleError, match=r"heads\.npz does not hold the heads of a model"):
        load_heads(tmp_path / "heads.npz")


def test_a_file_that_would_run_code_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "heads.npz").open("wb") as file:
        arrays: dict[str, Any] = {"224.components": np.array([{"a": 1}], object)}
        np.savez(file, **arrays)
    with pytest.raises(BundleError, match="does not hold the heads"):
        load_heads(tmp_path / "heads.npz")


def test_a_network_with_heads_has_a_logit_of_each() -> None:
    base, heads = network(), {224: make_head(1), 128: make_head(2)}
    features = np.random.default_rng(3).gamma(1.0, 1.0, (6, 16)).astype(np.float32)
    compared = np.asarray(base(features))
    logits = np.asarray(head.attach_heads(base, heads)(features))
    assert logits.shape == (6, 2)
    for column, machine in zip(logits.T, heads.values(), strict=True):
        np.testing.assert_allclose(column, machine.logits(compared), atol=1e-3)


def test_evidence_is_the_best_food_class_against_the_best_other_one() -> None:
    model = network()
    features = np.random.default_rng(3).gamma(1.0, 1.0, (6, 16)).astype(np.float32)
    foods, others = (np.asarray(head.submodel(model, "features", name)(features)) for name in (head.FOODS, head.OTHERS))
    assert (foods.shape[1], others.shape[1]) == (45, 955)
    compared = np.asarray(model(features))
    np.testing.assert_allclose(np.linalg.norm(compared[:, :16], axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(compared[:, 16], foods.max(axis=1) - others.max(axis=1), rtol=1e-4, atol=1e-5)
