"""An engine on a GPU with another in reserve: drivers crash and cards fall off the bus, and photos still come."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from models import OWNER
from models.engines import Engine, Logits, Maps
from models.errors import EngineError
from models.images.decode import Pixels

R = TypeVar("R")


class FallbackEngine:
    """Runs on the GPU until that gives up, then on the CPU for good: what is lost comes back with a restart at best."""

    def __init__(self, on_gpu: Engine, open_on_cpu: Callable[[], Engine]) -> None:
        """open_on_cpu: opens the engine that takes over; raises EngineError when there is none."""
        self._engine, self._open_on_cpu = on_gpu, open_on_cpu
        self._lost = False
        self._lock = threading.Lock()
        self.streams = on_gpu.streams

    @property
    def name(self) -> str:
        """Of what runs now; says so when that is not what was meant to."""
        return f"{self._engine.name}, since the GPU has failed" if self._lost else self._engine.name

    @property
    def largest(self) -> int:
        """Of what runs now."""
        return self._engine.largest

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,). Raises EngineError when the CPU cannot do it either."""
        return self._guarded(lambda engine: engine.logits(pixels))

    def last_map(self, pixels: Pixels) -> Maps:
        """uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048). Raises as `logits` does."""
        return self._guarded(lambda engine: engine.last_map(pixels))

    def _guarded(self, ask: Callable[[Engine], R]) -> R:
        engine = self._engine
        try:
            return ask(engine)
        except EngineError as error:
            return ask(self._instead_of(engine, error))

    def _instead_of(self, failed: Engine, error: EngineError) -> Engine:
        """The engine to go on with. Raises `error` when the one that failed was the last."""
        with self._lock:
            if self._engine is failed:  # else another batch has seen to it already
                if self._lost:
                    raise error
                logging.getLogger(OWNER).warning("%s; the CPU does the work from now on", error)
                self._engine, self._lost = self._open_on_cpu(), True
            return self._engine
