"""Why the model said what it said: what each place of a photo spoke for, laid over it."""

from threading import Lock

from daemon.settings import Model
from models import heat
from models.bundle import Bundle
from models.engines import Engine, open_engine
from models.images import Fit, Pixels


class Explainer:
    """The network of a bundle, loaded when it is first asked."""

    def __init__(self, bundle: Bundle, model: Model) -> None:
        self._bundle, self._model = bundle, model
        self._lock = Lock()
        self._engine: Engine | None = None

    def over(self, picture: Pixels, seen: Pixels) -> Pixels:
        """A picture, uint8 RGB (height, width, 3), in grey with the class activation map over it.

        seen: the same photo as the network sees it, uint8 RGB (side, side, 3). Raises EngineError, BundleError.
        """
        from models.explain import maps, whole

        with self._lock:  # an engine answers such questions one at a time
            self._engine = self._engine or open_engine(self._model.engine, self._bundle, 1, self._model.precision)
            found = whole(maps(self._bundle, self._engine, seen[None]), self._engine.logits(seen[None]))
        drawn = picture.copy()
        covered = _covered(picture, self._bundle.card.fit)
        drawn[covered] = heat.overlay(picture[covered], found[0], heat.scale(found))
        return drawn


def _covered(picture: Pixels, fit: Fit) -> tuple[slice, ...]:
    """The rows and columns of a picture that the network has seen."""
    sides = picture.shape[:2]
    if fit.mode == "stretch":
        return tuple(slice(side) for side in sides)
    return tuple(slice((side - min(sides)) // 2, (side + min(sides)) // 2) for side in sides)
