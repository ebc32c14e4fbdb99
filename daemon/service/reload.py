"""Reads settings and model anew while photos go on being sorted with those at hand."""

import threading
from collections.abc import Callable
from pathlib import Path

from daemon.pipeline import loaded_model
from daemon.pipeline.loaded_model import LoadedModel
from daemon.settings import Settings, load
from models.errors import FoodsortError

Fresh = tuple[Settings, LoadedModel]

_JOIN_S = 15.0


class Reload:
    """One reading, in a thread of its own; `outcome` is there once `done` was called, in that thread."""

    def __init__(self, root: Path, settings: Settings, at_hand: LoadedModel, done: Callable[[], None]) -> None:
        """settings, at_hand: those in use; an engine that would be opened in the same way is kept."""
        self._root, self._settings, self._at_hand, self._done = root, settings, at_hand, done
        self.outcome: Fresh | FoodsortError | None = None
        """The new settings with a warm engine, or why there are none; None before."""
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits until it is over, for a while: a network that is compiled as the process ends may take that with it."""
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            settings = load(self._root)
            bundle, engine = loaded_model.load(self._root, settings), self._at_hand.engine
            if bundle.sha256 != self._at_hand.bundle.sha256 or not loaded_model.same(settings, self._settings):
                engine = loaded_model.warm(self._root, settings, bundle)
            self.outcome = settings, LoadedModel(bundle, engine)
        except FoodsortError as error:
            self.outcome = error
        except Exception as error:  # noqa: BLE001  # whatever it is, the daemon goes on with what it has
            self.outcome = FoodsortError(repr(error))
        self._done()
