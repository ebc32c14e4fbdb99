"""The model: whole, and run by an engine; what decodes for it; whether there is a GPU."""

from collections.abc import Iterator

from daemon.doctor import CheckedRoot, Finding
from daemon.pipeline import loaded_model
from models.bundle import CARD, Bundle
from models.engines.gpu import gpu_present
from models.errors import FoodsortError


def check(place: CheckedRoot, *, quick: bool) -> Iterator[Finding]:
    """Findings on bundle, decoders, engine and GPU. quick: only whether the bundle is there."""
    folder = loaded_model.folder(place.root, place.settings)
    gpu = "a GPU is there" if gpu_present() else "no GPU is there; the CPU does the work"
    if quick:
        if folder is not None and not (folder / CARD).is_file():
            yield Finding("model", "problem", f"{folder} holds no model bundle; set model.bundle to one that does")
        else:
            yield Finding("model", "ok", f"{folder or 'the bundle that comes with foodsort'} is there; not read")
        yield Finding("gpu", "ok", gpu)
        return
    try:
        bundle = Bundle.load(folder)
        yield Finding("model", "ok", f"{bundle.model_name} is whole")
        yield _decoders(place, bundle)
        yield _engine(place, bundle)
    except FoodsortError as error:
        yield Finding("model", "problem", str(error))
    yield Finding("gpu", "ok", gpu)


def _decoders(place: CheckedRoot, bundle: Bundle) -> Finding:
    from daemon.decoders.pool import DecoderPool

    images = place.settings.images
    try:
        with DecoderPool(bundle.card.fit, images.max_pixels, images.timeout_s) as decoders:
            network = decoders.network()
    except OSError as error:
        return Finding("decoders", "problem", f"none can be started ({error}); give the machine memory and processes")
    if network == "none":
        what = "are kept from neither the network nor files; install libseccomp2 or run foodsort as its systemd service"
        return Finding("decoders", "warning", f"decoders {what}")
    return Finding("decoders", "ok", f"decoders start, and are kept from network and files by {network}")


def _engine(place: CheckedRoot, bundle: Bundle) -> Finding:
    import numpy as np

    from models.engines import open_engine

    model = place.settings.model
    engine = open_engine(model.engine, bundle, 1, model.precision)
    side = bundle.card.fit.side
    (logit,) = engine.logits(np.zeros((1, side, side, 3), np.uint8))
    if not np.isfinite(logit):
        return Finding("engine", "problem", f"{engine.name} gives no number for a picture; set model.engine to another")
    return Finding("engine", "ok", f"{engine.name} runs a picture")
