"""How a bundle runs: one module an engine, all with the same members."""

import logging
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from models import OWNER, EngineName, Precision
from models.bundle import INT8, Bundle
from models.engines.gpu import gpu_present
from models.errors import EngineError
from models.images.decode import Pixels

Logits = npt.NDArray[np.float32]
Maps = npt.NDArray[np.float32]


class Engine(Protocol):
    """Runs a network. `logits` may be called by as many threads at a time as it has streams, `last_map` by one.

    name: which engine it is and on what, for rows and logs. largest: the batch size above which nothing is gained.
    streams: how many batches are worked on at a time when all the cores are to have work.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    @property
    def largest(self) -> int:
        """See above."""
        ...

    @property
    def streams(self) -> int:
        """See above."""
        ...

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3), n ≥ 1 → float32 (n,). Raises EngineError when the device gives up."""
        ...

    def last_map(self, pixels: Pixels) -> Maps:
        """uint8 RGB (n, side, side, 3), n ≥ 1 → float32 (n, h, w, channels): what the global average pooling is given.

        Made ready at the first call, so that who never asks pays nothing. Raises EngineError, also when there is none.
        """
        ...


def open_engine(name: EngineName, bundle: Bundle, max_batch: int, precision: Precision = "auto") -> Engine:
    """Loads and warms an engine for batches of 1 to `max_batch` photos.

    `auto` is whatever runs the bundle fastest here; where OpenVINO cannot, it says why in the log and takes TensorFlow. What
    runs on a GPU goes on on the CPU when the GPU gives up. Raises EngineError when the engine cannot run the bundle.
    """
    if name == "scripted":
        from models.engines.scripted import ScriptedEngine

        return ScriptedEngine()
    on_cpu = partial(_open_on_cpu, name, bundle, max_batch, precision)
    if name == "openvino" or not gpu_present():
        return on_cpu()
    from models.engines.fallback import FallbackEngine
    from models.engines.tensorflow import TensorFlowEngine, first_gpu

    gpu = first_gpu()
    if gpu is None:
        logging.getLogger(OWNER).warning(
            "a GPU is there, and TensorFlow cannot use it (driver? CUDA?); the CPU does the work"
        )
        return on_cpu()
    return FallbackEngine(TensorFlowEngine(bundle, max_batch, precision, gpu), on_cpu)


def _open_on_cpu(name: EngineName, bundle: Bundle, max_batch: int, precision: Precision) -> Engine:
    if name == "openvino" or (name == "auto" and (INT8 in bundle.card.files or precision == "float32")):
        from models.engines.openvino import OpenVinoEngine

        try:
            return OpenVinoEngine(bundle, max_batch, precision)
        except EngineError as error:
            if name == "openvino":
                raise
            logging.getLogger(OWNER).warning("%s (auto does so this time)", error)
    from models.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(bundle, max_batch, precision)
