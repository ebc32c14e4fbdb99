"""Graphs of a network for OpenVINO: converted, with heads."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import Bundle
from models.engines.tensorflow import load_tensorflow
from models.engines.tensorflow_graph import trace
from models.errors import EngineError
from models.head import Head
from models.resnet50 import LAST_MAP

if TYPE_CHECKING:
    import keras

FLOAT32 = {"INFERENCE_PRECISION_HINT": "f32"}
"""Hint for the parts of a network that are not int8. On CPUs with AMX or AVX-512 BF16 OpenVINO computes them in bfloat16
otherwise, which moves logits by up to 0.36 and saves no time beside int8."""


def load_openvino() -> Any:
    """Imports OpenVINO without its telemetry, which would report its use without asking.

    Raises:
        EngineError: OpenVINO cannot be imported.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported
    try:
        import openvino
    except ImportError as error:
        raise EngineError(f"OpenVINO cannot be loaded ({error}); set model.engine to tensorflow") from error
    return openvino


def convert_bundle(bundle: Bundle) -> Any:
    """Converts the network of a bundle, for which it imports TensorFlow; raises BundleError."""
    load_tensorflow()
    return convert(bundle.load_network())


def convert(network: "keras.Model") -> Any:
    """Converts a network to a float32 `openvino.Model` with a dynamic batch size.

    The tensor of the last feature map is named LAST_MAP; OpenVINO's layout of it is (n, channels, h, w).
    """
    # Shared weights would be freed with the network.
    model = load_openvino().convert_model(trace(network).get_concrete_function(), share_weights=False)
    # Keras' checks of shapes leave outputs without a batch.
    for result in model.get_results():
        if len(result.get_output_partial_shape(0)) == 0:
            model.remove_result(result)
    # Keras' names are lost where OpenVINO moves the channels, so find the last map as the input of the only mean over
    # places.
    means = [step for step in model.get_ops() if step.get_type_name() == "ReduceMean"]
    (pooling,) = (step for step in means if len(step.get_input_partial_shape(0)) == 4)
    pooling.input_value(0).get_tensor().add_names({LAST_MAP})
    return model


def attach_heads(model: Any, heads: Iterable[Head]) -> Any:
    """Attaches heads to an `openvino.Model` whose output is what they compare, (n, d + 1).

    Returns:
        An `openvino.Model` with an output float32 (n, number of heads), as of `models.head.attach_heads`.
    """
    openvino = load_openvino()
    operations = openvino.opset13

    def dense(values: Any, weights: Any, bias: Any) -> Any:
        product = operations.matmul(values, operations.constant(weights), False, False)
        return operations.add(product, operations.constant(bias))

    logits = []
    for head in heads:
        position = dense(model.output(0).get_node().input_value(0), head.components, head.offset)
        square = operations.reduce_sum(
            operations.multiply(position, position), operations.constant(np.array([1])), keep_dims=True
        )
        likeness = operations.exp(dense(operations.concat([position, square], 1), *head.kernel()))
        logits.append(dense(likeness, *head.output()))
    return openvino.Model([operations.concat(logits, 1)], model.get_parameters(), "resnet50")
