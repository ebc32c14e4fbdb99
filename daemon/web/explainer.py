"""Explanations: a photo under a map of the evidence for food and against it."""

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from daemon.settings import ModelSettings
from models import heat
from models.bundle import Bundle
from models.engines import open_engine
from models.engines.base import Engine
from models.images.decode import Fit, Pixels

if TYPE_CHECKING:
    import keras


class Explainer:
    """Draws maps with the network of a bundle, which it loads for the first one and keeps."""

    def __init__(self, bundle: Bundle, settings: ModelSettings) -> None:
        self._bundle = bundle
        self._settings = settings
        self._lock = Lock()

    def overlay(self, photo: Pixels, model_input: Pixels) -> Pixels:
        """Lays the class activation map over a photo.

        Args:
            photo: uint8 RGB (height, width, 3).
            model_input: The same photo as the network gets it, uint8 RGB (side, side, 3).

        Returns:
            The photo in grey under the map, uint8 RGB (height, width, 3).

        Raises:
            EngineError: The engine has no feature map.
            BundleError: The network cannot be loaded.
        """
        from models.explain import complete, contributions

        batch = model_input[None]
        with self._lock:  # an engine runs one such request at a time
            activations = self._engine.last_map(batch)  # first, as an engine without a map raises immediately
            maps = complete(contributions(self._head, activations), self._engine.logits(batch))
        drawn = photo.copy()
        visible = _visible(photo, self._bundle.card.fit)
        drawn[visible] = heat.overlay(photo[visible], maps[0], heat.scale(maps))
        return drawn

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self._settings.engine, self._bundle, 1, self._settings.precision)

    @cached_property
    def _head(self) -> "keras.Model":
        from models.explain import load_head

        return load_head(self._bundle)


def _visible(photo: Pixels, fit: Fit) -> tuple[slice, ...]:
    """The rows and columns of a photo that the network sees."""
    sides = photo.shape[:2]
    if fit.mode == "stretch":
        return tuple(slice(side) for side in sides)
    return tuple(slice((side - min(sides)) // 2, (side + min(sides)) // 2) for side in sides)
