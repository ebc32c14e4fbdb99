"""Logits of the engines for real photos, compared with those of Keras."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import engines
from models.bundle import Bundle
from models.decision import probability
from models.engines.base import Logits
from models.engines.tensorflow import TensorFlowEngine
from models.images.decode import Pixels
from tests.models.conftest import Random, Toy

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")]

PHOTOS = Path(__file__).parents[3].parent / "shared/data/bench/web"

needs_photos = pytest.mark.skipif(not PHOTOS.is_dir(), reason="the photos of ../shared are not here")


@pytest.fixture(scope="module")
def photos(shipped: Bundle) -> Pixels:
    return engines.read(PHOTOS, shipped.card.fit)[::3]


@pytest.fixture(scope="module")
def expected(photos: Pixels, network: Any) -> Logits:
    return engines.keras_run(network)(photos)


@needs_photos
@pytest.mark.system  # takes minutes
@pytest.mark.parametrize("kind", ["tensorflow", "openvino"])
def test_a_float32_engine_agrees_with_keras_on_67_photos(
    shipped: Bundle, network: Any, photos: Pixels, expected: Logits, kind: str
) -> None:
    run = (
        TensorFlowEngine(shipped, 8, "float32").logits if kind == "tensorflow" else engines.openvino_run(network, "f32")
    )
    p, p_keras = (probability(logits, shipped.card.temperature) for logits in (run(photos), expected))
    assert len(p) == 67
    assert np.abs(p - p_keras).max() <= 0.002
    np.testing.assert_array_equal(p >= shipped.card.thresholds.food, p_keras >= shipped.card.thresholds.food)


def test_the_benchmark_has_a_row_for_each_engine_and_precision(toy: Toy, pixels: Random) -> None:
    bundle = toy("linear")
    rows = engines.measure(bundle, pixels(11, 32), 1)
    assert [row.name.split()[0] for row in rows] == ["tensorflow", "openvino", "openvino", "openvino"]
    assert all(row.photos_s > 0 for row in rows)
    assert max(row.largest for row in rows[:2]) < 1e-4
    assert all(row.largest < 0.05 for row in rows)
