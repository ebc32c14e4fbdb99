"""An engine that frees its memory while no photos come."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.engines.base import Engine, Logits, Maps
from models.images.decode import Pixels


class IdleUnloadingEngine:
    """Unloads an engine that was idle for a while and loads it again for the next photo."""

    def __init__(self, engine: Engine, load: Callable[[], Engine], idle_s: float) -> None:
        """Takes a loaded engine.

        Args:
            engine: The engine, warm.
            load: Loads it again; raises EngineError, BundleError.
            idle_s: How long it stays loaded without work (s).
        """
        self._engine: Engine | None = engine
        self._load = load
        self._idle_s = idle_s
        self._running = 0
        self._last_used = time.monotonic()
        self._lock = threading.Lock()
        self._name = engine.name
        self.largest = engine.largest
        self.streams = engine.streams

    @property
    def name(self) -> str:
        """The engine, and whether it is unloaded."""
        engine = self._engine  # another thread may unload it
        return f"{self._name}, unloaded" if engine is None else engine.name

    def logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n,); raises EngineError, BundleError."""
        with self._loaded() as engine:
            return engine.logits(pixels)

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes logits of m models, uint8 RGB (n, side, side, 3) → float32 (n, m); raises as `logits` does."""
        with self._loaded() as engine:
            return engine.all_logits(pixels)

    def last_map(self, pixels: Pixels) -> Maps:
        """Computes feature maps, uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048); raises as `logits` does."""
        with self._loaded() as engine:
            return engine.last_map(pixels)

    def unload_if_idle(self) -> bool:
        """Unloads the engine if it was idle long enough; returns whether it did. Called regularly."""
        with self._lock:
            idle = self._engine is not None and not self._running and time.monotonic() - self._last_used >= self._idle_s
            if idle:
                self._engine = None
            return idle

    @contextmanager
    def _loaded(self) -> Iterator[Engine]:
        with self._lock:  # other threads wait here while it is loaded
            self._engine = engine = self._engine or self._load()
            self._running += 1
        try:
            yield engine
        finally:
            with self._lock:
                self._running -= 1
                self._last_used = time.monotonic()
