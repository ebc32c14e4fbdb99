"""Runs a bundle's int8 model with OpenVINO on the CPU, more than twice as fast as float32 there."""

import numpy as np
import openvino

from models.bundle import INT8, Bundle
from models.engines import Logits
from models.engines.ladder import climb, rungs
from models.errors import EngineError
from models.images import Pixels

# Larger batches gain nothing on CPUs, and make photos and a stop wait for each other.
_TOP = 8


class OpenVinoEngine:
    """All cores work on one small batch after another."""

    def __init__(self, bundle: Bundle, max_batch: int) -> None:
        """Raises EngineError when the bundle holds no OpenVINO model or this CPU cannot run it."""
        if INT8 not in bundle.card.files:
            raise EngineError(
                f"the bundle {bundle.model_name} holds no OpenVINO model; set model.engine to auto or tensorflow"
            )
        core = openvino.Core()
        try:
            compiled = core.compile_model(core.read_model(bundle.folder / INT8), "CPU", {"PERFORMANCE_HINT": "LATENCY"})
        except RuntimeError as error:
            raise EngineError(
                f"OpenVINO cannot run {bundle.folder / INT8}: {error}; set model.engine to tensorflow"
            ) from error
        self._request = compiled.create_infer_request()
        self.name = f"openvino int8 {core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}"
        self.ladder = rungs(min(max_batch, _TOP))
        self.largest = self.ladder[-1]
        # Kernels for a batch size are built at the first batch of it.
        for rung in self.ladder:
            self.logits(np.zeros((rung, bundle.card.fit.side, bundle.card.fit.side, 3), np.uint8))

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,)."""
        return climb(self._run, pixels, self.ladder)

    def _run(self, pixels: Pixels) -> Logits:
        return np.array(self._request.infer({0: pixels})[0], np.float32)
