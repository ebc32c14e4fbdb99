"""Fast inference with the frozen part of a network."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.bundle import INT8
from models.engines.gpu import gpu_present
from models.engines.openvino_graph import FLOAT32, load_openvino
from models.engines.tensorflow_graph import trace

if TYPE_CHECKING:
    import keras


def compile_for_inference(network: "keras.Model") -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """Compiles a network with one output into a function.

    It runs on TensorFlow if there is a GPU. On a CPU it runs on OpenVINO, which computes in bfloat16 if the CPU has
    instructions for it.

    Returns:
        A function from an array (n, …) to a float32 array (n, …), channels last.
    """
    function = trace(network)
    if gpu_present():
        return lambda batch: np.asarray(function(batch), np.float32)
    openvino = load_openvino()
    model = openvino.convert_model(function.get_concrete_function(), share_weights=False)
    request = openvino.compile_model(model, "CPU").create_infer_request()
    return lambda batch: np.array(request.infer({0: batch})[0], np.float32)


def compile_features(network: "keras.Model", quantized: Path) -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """Compiles a network without heads into a function, in the number format in which it will run on this machine.

    Args:
        network: The float32 network.
        quantized: Folder that may hold its 8-bit form, which CPUs run.
    """
    if gpu_present() or not (quantized / INT8).exists():
        return compile_for_inference(network)
    request = load_openvino().Core().compile_model(quantized / INT8, "CPU", FLOAT32).create_infer_request()
    return lambda batch: np.array(request.infer({0: batch})[0], np.float32)
