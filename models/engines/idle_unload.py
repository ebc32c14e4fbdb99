"""An engine that gives its memory back while no photos come."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from models.engines import Engine, Logits, Maps
from models.images.decode import Pixels


class IdleUnloadingEngine:
    """Lets go of an engine that was not asked for a while, and opens it again for the next photo."""

    def __init__(self, engine: Engine, reopen: Callable[[], Engine], idle_s: float) -> None:
        """engine: warm. reopen: opens it again; raises EngineError, BundleError. idle_s: how long it is kept without work."""
        self._engine: Engine | None = engine
        self._reopen, self._idle_s = reopen, idle_s
        self._asking = 0
        self._last = time.monotonic()
        self._lock = threading.Lock()
        self._name, self.largest, self.streams = engine.name, engine.largest, engine.streams

    @property
    def name(self) -> str:
        """Of the engine; says so while it rests."""
        return f"{self._name}, at rest" if self._engine is None else self._engine.name

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,). Raises what the engine raises, or opening it."""
        with self._awake() as engine:
            return engine.logits(pixels)

    def last_map(self, pixels: Pixels) -> Maps:
        """uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048). Raises as `logits` does."""
        with self._awake() as engine:
            return engine.last_map(pixels)

    def rest(self) -> bool:
        """Lets go of the engine when its time has come; to be called now and then. Returns whether it did."""
        with self._lock:
            idle = self._engine is not None and not self._asking and time.monotonic() - self._last >= self._idle_s
            if idle:
                self._engine = None
            return idle

    @contextmanager
    def _awake(self) -> Iterator[Engine]:
        with self._lock:  # others wait here while it is opened
            self._engine = engine = self._engine or self._reopen()
            self._asking += 1
        try:
            yield engine
        finally:
            with self._lock:
                self._asking -= 1
                self._last = time.monotonic()
