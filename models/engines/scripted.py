"""A fake engine for tests and trials: fast, exact, no model needed."""

import numpy as np

from models.engines.base import Logits, Maps
from models.errors import EngineError
from models.images.decode import Pixels


class ScriptedEngine:
    """Labels a photo food when its mean red (0 to 255) exceeds its mean blue: logit = (red − blue) ÷ 8."""

    name = "scripted"
    largest = 1024
    streams = 1

    def logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n,)."""
        means = pixels.mean(axis=(1, 2), dtype=np.float64)
        return np.asarray((means[:, 0] - means[:, 2]) / 8, np.float32)

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n, 1): there is no candidate."""
        return self.logits(pixels)[:, None]

    def last_map(self, pixels: Pixels) -> Maps:
        """Raises EngineError: without a network there is no feature map."""
        raise EngineError("the scripted engine has no feature map; explain with the engine tensorflow or openvino")
