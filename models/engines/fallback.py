"""An engine on a GPU that falls back to the CPU: drivers crash and cards fall off the bus while photos keep coming."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from models import OWNER
from models.engines.base import Engine, Logits, Maps
from models.errors import EngineError
from models.images.decode import Pixels

R = TypeVar("R")


class FallbackEngine:
    """Runs on the GPU until the GPU fails, then on the CPU until foodsort restarts."""

    def __init__(self, on_gpu: Engine, open_on_cpu: Callable[[], Engine]) -> None:
        """Takes the GPU's engine.

        Args:
            on_gpu: The engine to use first.
            open_on_cpu: Opens the engine to fall back to; raises EngineError when there is none.
        """
        self._engine = on_gpu
        self._open_on_cpu = open_on_cpu
        self._gpu_failed = False
        self._lock = threading.Lock()
        self.streams = on_gpu.streams

    @property
    def name(self) -> str:
        """The current engine, and whether it is the fallback."""
        return f"{self._engine.name}, since the GPU has failed" if self._gpu_failed else self._engine.name

    @property
    def largest(self) -> int:
        """The largest useful batch size of the current engine."""
        return self._engine.largest

    def logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n,); raises EngineError when the CPU fails too."""
        return self._with_fallback(lambda engine: engine.logits(pixels))

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes logits of m models, uint8 RGB (n, side, side, 3) → float32 (n, m); raises as `logits` does."""
        return self._with_fallback(lambda engine: engine.all_logits(pixels))

    def last_map(self, pixels: Pixels) -> Maps:
        """Computes feature maps, uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048); raises as `logits` does."""
        return self._with_fallback(lambda engine: engine.last_map(pixels))

    def _with_fallback(self, run: Callable[[Engine], R]) -> R:
        engine = self._engine
        try:
            return run(engine)
        except EngineError as error:
            return run(self._replace(engine, error))

    def _replace(self, failed: Engine, error: EngineError) -> Engine:
        """Returns the engine that replaces a failed one; raises `error` when the fallback itself failed."""
        with self._lock:
            if self._engine is failed:  # otherwise another batch has replaced it already
                if self._gpu_failed:
                    raise error
                logging.getLogger(OWNER).warning("%s; using the CPU until the next start", error)
                self._engine = self._open_on_cpu()
                self._gpu_failed = True
            return self._engine
