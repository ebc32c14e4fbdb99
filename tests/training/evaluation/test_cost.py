import math
from typing import Any

import pytest

from models import resnet50
from models.engines.tensorflow import load_tensorflow
from training.evaluation.cost import multiply_adds

# Keras turns TensorFlow's variables into arrays in a way that NumPy 2 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def count_multiply_adds(network: Any) -> int:
    """Multiply-adds of the layers with a kernel: the size of the kernel times the positions of the output."""
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in layers)


@pytest.mark.parametrize("side", [224, 320])
def test_the_cost_of_a_picture_is_that_of_the_networks_layers(side: int) -> None:
    load_tensorflow()
    import keras

    backbone = resnet50.backbone(resnet50.build())
    sized = keras.models.clone_model(backbone, input_tensors=keras.Input((side, side, 3), dtype="uint8"))
    assert multiply_adds(side) == pytest.approx(count_multiply_adds(sized), rel=1e-9)


def test_the_cost_grows_with_the_area() -> None:
    assert multiply_adds(448) == 4 * multiply_adds(224)
