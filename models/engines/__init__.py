"""The engines that run a bundle, one module each, all with the interface of `base.Engine`."""

import logging
from functools import partial

from models import OWNER, EngineName, Precision
from models.bundle import INT8, Bundle
from models.engines.base import Engine
from models.engines.gpu import gpu_present
from models.errors import EngineError


def open_engine(name: EngineName, bundle: Bundle, max_batch: int, precision: Precision = "auto") -> Engine:
    """Loads an engine and warms it up.

    Args:
        name: `auto` takes the fastest engine for the bundle on this machine. If that is OpenVINO and it cannot run the
            bundle, `auto` logs the reason and takes TensorFlow. An engine on a GPU falls back to the CPU when the GPU
            fails.
        bundle: The model.
        max_batch: Largest batch (photos).
        precision: Number format of the computation.

    Raises:
        EngineError: The engine cannot run the bundle.
        BundleError: The network cannot be loaded.
    """
    if name == "scripted":
        from models.engines.scripted import ScriptedEngine

        return ScriptedEngine()
    open_on_cpu = partial(_open_on_cpu, name, bundle, max_batch, precision)
    if name == "openvino" or not gpu_present():
        return open_on_cpu()
    from models.engines.fallback import FallbackEngine
    from models.engines.tensorflow import TensorFlowEngine, first_gpu

    gpu = first_gpu()
    if gpu is None:
        logging.getLogger(OWNER).warning("TensorFlow cannot use the GPU (driver or CUDA missing?); using the CPU")
        return open_on_cpu()
    return FallbackEngine(TensorFlowEngine(bundle, max_batch, precision, gpu), open_on_cpu)


def _open_on_cpu(name: EngineName, bundle: Bundle, max_batch: int, precision: Precision) -> Engine:
    if name == "openvino" or (name == "auto" and (INT8 in bundle.card.files or precision == "float32")):
        from models.engines.openvino import OpenVinoEngine

        try:
            return OpenVinoEngine(bundle, max_batch, precision)
        except EngineError as error:
            if name == "openvino":
                raise
            logging.getLogger(OWNER).warning("%s; using TensorFlow instead", error)
    from models.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(bundle, max_batch, precision)
