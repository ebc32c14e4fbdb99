"""Reads settings and model again while the daemon sorts on with the current ones."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from daemon.pipeline import loaded_model
from daemon.pipeline.loaded_model import LoadedModel
from daemon.settings import Settings, load
from models.errors import FoodsortError

_JOIN_S = 15.0


class Reloaded(NamedTuple):
    """New settings, with a warm engine for their model."""

    settings: Settings
    model: LoadedModel


class Reload:
    """One reading of settings and model, in a thread of its own."""

    def __init__(self, root: Path, settings: Settings, model: LoadedModel, done: Callable[[], None]) -> None:
        """Starts the thread.

        Args:
            root: The root.
            settings: The current settings.
            model: The current model; its engine is kept if the new settings would open the same one.
            done: Called in the thread once `outcome` is set.
        """
        self._root = root
        self._settings = settings
        self._model = model
        self._done = done
        self.outcome: Reloaded | FoodsortError | None = None
        """The new settings and model, or why there are none; None until then."""
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits for the thread for a limited time: a network that is compiled while the process ends may crash it."""
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            self.outcome = self._read()
        except FoodsortError as error:
            self.outcome = error
        except Exception as error:  # noqa: BLE001  # the daemon keeps its settings after any error
            self.outcome = FoodsortError(repr(error))
        self._done()

    def _read(self) -> Reloaded:
        settings = load(self._root)
        bundle = loaded_model.load(self._root, settings, candidate=True)
        if loaded_model.same_engine(self._settings, settings):
            if loaded_model.same_models(self._model.bundle, bundle):
                return Reloaded(settings, self._model._replace(bundle=bundle))
            if (model := self._model.with_bundle(bundle)) is not None:
                return Reloaded(settings, model)
        return Reloaded(settings, LoadedModel(bundle, loaded_model.warm(self._root, settings, bundle)))
