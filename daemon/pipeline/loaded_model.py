"""The model in use: the bundle that the settings name, and the engine that runs it."""

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import structlog

from daemon.registry import learned
from daemon.registry.promotions import live_folder
from daemon.settings import Settings
from models.bundle import CARD, Bundle, file_sha256
from models.engines import open_engine
from models.engines.base import Engine
from models.engines.idle_unload import IdleUnloadingEngine
from models.engines.one_model import OneModelEngine
from models.errors import BundleError

log = structlog.get_logger()


class LoadedModel(NamedTuple):
    """A verified bundle and a warm engine that runs it.

    Attributes:
        heads: Digests of the models whose heads the engine runs, in the order of its outputs; empty: of the bundle's.
    """

    bundle: Bundle
    engine: Engine
    heads: tuple[str, ...] = ()

    def with_bundle(self, bundle: Bundle) -> "LoadedModel | None":
        """Returns another bundle on the same engine; None if the engine does not run all of its heads."""
        runs = self.heads or tuple(model.sha256 for model in self.bundle.all_models)
        wanted = tuple(model.sha256 for model in bundle.all_models)
        engine = self.engine.engine if isinstance(self.engine, OneModelEngine) else self.engine
        if isinstance(engine, IdleUnloadingEngine):  # it loads the live model again
            return None
        if runs == wanted:
            return LoadedModel(bundle, engine, runs)
        if len(wanted) == 1 and wanted[0] in runs:
            return LoadedModel(bundle, OneModelEngine(engine, runs.index(wanted[0])), runs)
        return None


def configured_folder(root: Path, settings: Settings) -> Path | None:
    """Returns the folder of the bundle in the settings; None for the bundle shipped with foodsort."""
    return root.absolute() / settings.model.bundle if settings.model.bundle else None


def folder(root: Path, settings: Settings) -> Path | None:
    """Returns the folder of the live bundle: a learned one that was promoted, else that in the settings.

    Raises:
        BundleError: It cannot be read which one is live.
    """
    return live_folder(root, settings.model.bundle) or configured_folder(root, settings)


def card_path(root: Path, settings: Settings) -> Path:
    """Returns the path of the live bundle's card.

    Raises:
        BundleError: It cannot be read which one is live.
    """
    return (folder(root, settings) or Path(str(resources.files("models") / "food"))) / CARD


def sha256(root: Path, settings: Settings) -> str:
    """Returns the digest of the live bundle from its card alone, without a check of its files.

    Raises:
        BundleError: The card cannot be read, or not which bundle is live.
    """
    path = card_path(root, settings)
    try:
        return file_sha256(path)
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}; check model.bundle in the settings") from error


def load(root: Path, settings: Settings, *, candidate: bool = False) -> Bundle:
    """Loads the live bundle, with the looks in the settings.

    Args:
        root: The root.
        settings: Its settings.
        candidate: Whether the newest candidate comes with it, if it has the same network.

    Raises:
        BundleError: The bundle is incomplete or damaged, or has no cascade and the settings demand one.
    """
    bundle = Bundle.load(folder(root, settings))
    cascade = settings.model.cascade
    if cascade is True and bundle.card.cascade is None:
        raise BundleError(f"{bundle.folder} has no cascade; set model.cascade to auto, or train the bundle again")
    if candidate and settings.model.engine != "scripted":
        bundle = _with_candidate(root, settings, bundle)
    return bundle if cascade else bundle.without_cascade()


def _with_candidate(root: Path, settings: Settings, bundle: Bundle) -> Bundle:
    """Adds the newest candidate; one that is damaged or has another network is left out, for it sorts no photos."""
    try:
        found = learned.candidate(root, settings.model.bundle)
        return bundle.with_candidate(Bundle.load(found.folder)) if found else bundle
    except BundleError as error:
        log.warning("the candidate judges no photos", reason=str(error))
        return bundle


def same_models(old: Bundle, new: Bundle) -> bool:
    """Whether two bundles are the same models, candidates included."""
    return [model.sha256 for model in old.all_models] == [model.sha256 for model in new.all_models]


def warm(root: Path, settings: Settings, bundle: Bundle) -> Engine:
    """Opens the engine in the settings and warms it up.

    Raises:
        EngineError: The engine cannot run the bundle.
        BundleError: The bundle is incomplete or damaged.
    """
    model = settings.model

    def open_model() -> Engine:
        return open_engine(model.engine, bundle, settings.batch.max_size, model.precision)

    def reopen_model() -> Engine:
        if load(root, settings).sha256 != bundle.sha256:
            raise BundleError(f"{bundle.folder} holds another model than before; reload or restart foodsort to use it")
        return open_model()

    return IdleUnloadingEngine(open_model(), reopen_model, model.idle_unload_s) if model.idle_unload_s else open_model()


def same_engine(old: Settings, new: Settings) -> bool:
    """Whether two settings run a bundle in the same way."""
    return old.model == new.model and old.batch.max_size == new.batch.max_size
