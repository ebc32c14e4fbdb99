"""How a bundle runs: one module an engine, all with the same two members."""

from typing import Protocol

import numpy as np
import numpy.typing as npt

from models import EngineName
from models.bundle import INT8, Bundle
from models.engines.gpu import gpu_present
from models.images import Pixels

Logits = npt.NDArray[np.float32]


class Engine(Protocol):
    """Runs a network. Used by one thread at a time.

    name: which engine it is and on what, for rows and logs. largest: the batch size above which nothing is gained.
    """

    name: str

    @property
    def largest(self) -> int:
        """See above."""
        ...

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3), n ≥ 1 → float32 (n,). Raises EngineError when the device gives up."""
        ...


def open_engine(name: EngineName, bundle: Bundle, max_batch: int) -> Engine:
    """Loads and warms an engine for batches of 1 to `max_batch` photos.

    `auto` is whatever runs the bundle fastest here. Raises EngineError when the engine cannot run the bundle.
    """
    if name == "scripted":
        from models.engines.scripted import ScriptedEngine

        return ScriptedEngine()
    if name == "openvino" or (name == "auto" and INT8 in bundle.card.files and not gpu_present()):
        from models.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle, max_batch)
    from models.engines.tensorflow import TensorFlowEngine

    return TensorFlowEngine(bundle, max_batch)
