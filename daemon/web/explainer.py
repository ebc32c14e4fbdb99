"""Explanations: a photo under a map of the evidence for food and against it."""

from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from daemon.settings import ModelSettings
from models import heat
from models.bundle import Bundle
from models.cascade import reduce
from models.engines import open_engine
from models.engines.base import Engine
from models.images.decode import Fit, Pixels

if TYPE_CHECKING:
    import keras


class Explainer:
    """Draws maps with the network of a bundle, which it loads for the first one and keeps.

    Attributes:
        bundle: The bundle.
    """

    def __init__(self, bundle: Bundle, settings: ModelSettings) -> None:
        self.bundle = bundle
        self._settings = settings
        self._lock = Lock()
        self._heads: dict[int, keras.Model] = {}

    def overlay(self, photo: Pixels, model_input: Pixels, look: int | None) -> Pixels:
        """Lays the class activation map of the look that decided over a photo.

        Args:
            photo: uint8 RGB (height, width, 3).
            model_input: The same photo as the network gets it, uint8 RGB (side, side, 3).
            look: Side of the look that decided (pixels). The map is that of the full side if it is None or if this
                model has no such look.

        Returns:
            The photo in grey under the map, uint8 RGB (height, width, 3).

        Raises:
            EngineError: The engine has no feature map.
            BundleError: The network cannot be loaded.
        """
        from models.explain import complete, contributions

        cascade = self.bundle.card.cascade
        small = cascade is not None and look == cascade.side
        batch = reduce(model_input[None], cascade.side) if cascade and small else model_input[None]
        with self._lock:  # an engine runs one such request at a time
            activations = self._engine.last_map(batch)  # first, as an engine without a map raises immediately
            maps = complete(contributions(self._head(batch.shape[1]), activations), self._engine.logits(batch))
        drawn = photo.copy()
        visible = _visible(photo, self.bundle.card.fit)
        drawn[visible] = heat.overlay(photo[visible], maps[0], heat.scale(maps))
        return drawn

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self._settings.engine, self.bundle, 1, self._settings.precision)

    def _head(self, side: int) -> "keras.Model":
        from models.explain import load_head

        if side not in self._heads:
            self._heads[side] = load_head(self.bundle, side)
        return self._heads[side]


def _visible(photo: Pixels, fit: Fit) -> tuple[slice, ...]:
    """The rows and columns of a photo that the network sees."""
    sides = photo.shape[:2]
    if fit.mode == "stretch":
        return tuple(slice(side) for side in sides)
    return tuple(slice((side - min(sides)) // 2, (side + min(sides)) // 2) for side in sides)
