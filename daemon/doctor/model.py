"""Checks of the model: the bundle is intact, decoders start in a sandbox, an engine runs; and of the GPU."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from daemon.doctor.finding import CheckedRoot, Finding
from daemon.pipeline import loaded_model
from daemon.registry import learned
from models.bundle import CARD, Bundle
from models.engines.gpu import gpu_present
from models.errors import BundleError, FoodsortError

if TYPE_CHECKING:
    from daemon.decoders.sandbox import Isolation


def check(root: CheckedRoot, *, quick: bool) -> Iterator[Finding]:
    """Checks bundle, decoders, engine and GPU. quick: only that the bundle exists."""
    gpu = Finding("gpu", "ok", "GPU present" if gpu_present() else "no GPU; the CPU runs the model")
    if quick:
        yield _bundle_exists(root)
        yield gpu
        return
    try:
        bundle = loaded_model.load(root.path, root.settings)
        yield Finding("model", "ok", f"{bundle.model_name} is intact")
        yield from _candidate(root)
        yield _decoders(root, bundle)
        yield _engine(root, bundle)
    except FoodsortError as error:
        yield Finding("model", "problem", str(error))
    yield gpu


def _bundle_exists(root: CheckedRoot) -> Finding:
    try:
        folder = loaded_model.folder(root.path, root.settings)
    except BundleError as error:
        return Finding("model", "problem", str(error))
    if folder is not None and not (folder / CARD).is_file():
        return Finding("model", "problem", f"{folder} is not a model bundle; set model.bundle to one")
    return Finding("model", "ok", f"{folder or 'the bundle shipped with foodsort'} exists; not verified")


def _candidate(root: CheckedRoot) -> Iterator[Finding]:
    """Checks the candidate, if there is one."""
    found = learned.candidate(root.path, root.settings.model.bundle)
    if found is None:
        return
    try:
        Bundle.load(found.folder)
    except BundleError as error:
        yield Finding("candidate", "warning", f"{error}; or make another candidate with `foodsort learn`")
        return
    yield Finding("candidate", "ok", f"{found.name} is intact and waits to be put live: {found.judgement.reason}")


def _decoders(root: CheckedRoot, bundle: Bundle) -> Finding:
    from daemon.decoders.pool import DecoderPool

    images = root.settings.images
    try:
        with DecoderPool(bundle.card.fit, images.max_pixels, images.timeout_s, size=1) as decoders:
            isolation = decoders.isolation()
    except OSError as error:
        return Finding("decoders", "problem", f"decoders cannot start ({error}); give the machine memory and processes")
    return _confinement(isolation)


def _confinement(isolation: "Isolation") -> Finding:
    from daemon.decoders.landlock import SCOPED_SINCE

    if isolation.seccomp:
        means = "seccomp and Landlock" if isolation.landlock else "seccomp"
        message = f"decoders start and can open no file, use no network and reach no other process ({means})"
        return Finding("decoders", "ok", message)
    fix = "install libseccomp2 or run foodsort as its systemd service"
    if isolation.landlock >= SCOPED_SINCE:
        message = "decoders can open no file and reach no other process (Landlock), but use UDP and change permissions"
        return Finding("decoders", "warning", f"{message}; {fix}")
    if isolation.landlock:
        message = "decoders can open no file (Landlock), but use the network and signal other processes"
        return Finding("decoders", "warning", f"{message}; {fix}")
    return Finding(
        "decoders", "warning", f"decoders start, but nothing blocks the network, files and other processes; {fix}"
    )


def _engine(root: CheckedRoot, bundle: Bundle) -> Finding:
    import numpy as np

    from models.engines import open_engine

    model = root.settings.model
    engine = open_engine(model.engine, bundle, 1, model.precision)
    if not all(np.isfinite(engine.logits(np.zeros((1, side, side, 3), np.uint8))).all() for side in bundle.used_sides):
        message = f"{engine.name} returns no finite number for a test image; set model.engine to another"
        return Finding("engine", "problem", message)
    return Finding("engine", "ok", f"{engine.name} classifies a test image")
