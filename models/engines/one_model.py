"""One of the models whose heads an engine runs: a candidate that is put live needs no other engine."""

import numpy as np

from models.engines.base import Engine, Logits, Maps
from models.images.decode import Pixels


class OneModelEngine:
    """Gives the logits of one model of an engine.

    Attributes:
        engine: The engine.
    """

    def __init__(self, engine: Engine, column: int) -> None:
        """Takes an engine in use.

        Args:
            engine: The engine.
            column: Which of its models; its column in `all_logits`.
        """
        self.engine = engine
        self._column = column
        self.streams = engine.streams

    @property
    def name(self) -> str:
        """The engine."""
        return self.engine.name

    @property
    def largest(self) -> int:
        """The largest useful batch size of the engine."""
        return self.engine.largest

    def logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n,); raises EngineError."""
        return np.ascontiguousarray(self.engine.all_logits(pixels)[:, self._column])

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n, 1): the model has no candidate."""
        return self.logits(pixels)[:, None]

    def last_map(self, pixels: Pixels) -> Maps:
        """Computes feature maps, uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048); raises EngineError."""
        return self.engine.last_map(pixels)
