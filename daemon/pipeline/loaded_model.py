"""The model in use, as the settings have it: a bundle and the engine that runs it."""

from pathlib import Path
from typing import NamedTuple

from daemon.settings import Settings
from models.bundle import Bundle
from models.engines import Engine, open_engine
from models.engines.idle_unload import IdleUnloadingEngine
from models.errors import BundleError


class LoadedModel(NamedTuple):
    """A verified bundle and an engine, warm, that runs it."""

    bundle: Bundle
    engine: Engine


def folder(root: Path, settings: Settings) -> Path | None:
    """The folder of the bundle that the settings name; None: the one that comes with foodsort."""
    return root.absolute() / settings.model.bundle if settings.model.bundle else None


def load(root: Path, settings: Settings) -> Bundle:
    """The bundle that the settings name. Raises BundleError."""
    return Bundle.load(folder(root, settings))


def warm(root: Path, settings: Settings, bundle: Bundle) -> Engine:
    """Opens the engine that the settings name. Raises EngineError, BundleError."""
    model = settings.model

    def opened() -> Engine:
        return open_engine(model.engine, bundle, settings.batch.max_size, model.precision)

    def reopened() -> Engine:
        if load(root, settings).sha256 != bundle.sha256:
            raise BundleError(f"{bundle.folder} holds another model than before; reload or restart foodsort to use it")
        return opened()

    return IdleUnloadingEngine(opened(), reopened, model.idle_unload_s) if model.idle_unload_s else opened()


def same(one: Settings, other: Settings) -> bool:
    """Whether two settings run a bundle in the same way."""
    return one.model == other.model and one.batch.max_size == other.batch.max_size
