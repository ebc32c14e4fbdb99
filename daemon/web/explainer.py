"""Why the model said what it said: what each place of a photo spoke for, laid over it."""

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
    """The network of a bundle, loaded when it is first asked, and kept."""

    def __init__(self, bundle: Bundle, model: ModelSettings) -> None:
        self._bundle, self._model = bundle, model
        self._lock = Lock()

    def over(self, picture: Pixels, seen: Pixels) -> Pixels:
        """A picture, uint8 RGB (height, width, 3), in grey with the class activation map over it.

        seen: the same photo as the network sees it, uint8 RGB (side, side, 3). Raises EngineError, BundleError.
        """
        from models.explain import complete, contributions

        with self._lock:  # an engine answers such questions one at a time
            activations = self._engine.last_map(seen[None])  # first: an engine without a map says so at once
            found = complete(contributions(self._head, activations), self._engine.logits(seen[None]))
        drawn = picture.copy()
        covered = _covered(picture, self._bundle.card.fit)
        drawn[covered] = heat.overlay(picture[covered], found[0], heat.scale(found))
        return drawn

    @cached_property
    def _engine(self) -> Engine:
        return open_engine(self._model.engine, self._bundle, 1, self._model.precision)

    @cached_property
    def _head(self) -> "keras.ModelSettings":
        from models.explain import load_head

        return load_head(self._bundle)


def _covered(picture: Pixels, fit: Fit) -> tuple[slice, ...]:
    """The rows and columns of a picture that the network has seen."""
    sides = picture.shape[:2]
    if fit.mode == "stretch":
        return tuple(slice(side) for side in sides)
    return tuple(slice((side - min(sides)) // 2, (side + min(sides)) // 2) for side in sides)
