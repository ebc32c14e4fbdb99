"""The fastest way to run the part of a network that is not being trained."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models.engines.gpu import gpu_present
from models.engines.openvino import load_openvino
from models.engines.tensorflow import trace

if TYPE_CHECKING:
    import keras


def runner(network: "keras.Model") -> Callable[[npt.NDArray[Any]], npt.NDArray[np.float32]]:
    """A network of one output as a function, array (n, …) → float32 array (n, …), the channels last.

    TensorFlow on a GPU; on a CPU OpenVINO, which computes in bfloat16 where the CPU is made for it.
    """
    function = trace(network)
    if gpu_present():
        return lambda batch: np.asarray(function(batch), np.float32)
    openvino = load_openvino()
    model = openvino.convert_model(function.get_concrete_function())
    request = openvino.compile_model(model, "CPU").create_infer_request()
    return lambda batch: np.array(request.infer({0: batch})[0], np.float32)
