"""Caches the float32 network in OpenVINO's format: the conversion takes TensorFlow and some seconds."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.bundle import Bundle, file_sha256
from models.cache import private_folder

_MODEL = "float32.xml"
_WEIGHTS = "float32.bin"
_DIGESTS = "sha256"


def load_or_convert(core: Any, bundle: Bundle, convert: Callable[[Bundle], Any]) -> Any:
    """Returns a bundle's float32 `openvino.Model`, from the cache if an undamaged copy is there.

    Args:
        core: An `openvino.Core`.
        bundle: The model.
        convert: Converts the network of a bundle; the result is cached where that is possible.
    """
    import openvino

    digests = "-".join(model.sha256[:16] for model in bundle.all_models)
    folder = private_folder(f"{digests}-openvino-{openvino.__version__.split('-')[0]}")
    if folder is not None and _is_intact(folder):
        return core.read_model(folder / _MODEL)
    model = convert(bundle)
    if folder is not None:
        _store(model, folder, openvino.save_model)
    return model


def _is_intact(folder: Path) -> bool:
    try:
        return (folder / _DIGESTS).read_text(encoding="ascii") == _digests(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _digests(folder: Path) -> str:
    return "".join(f"{file_sha256(folder / name)}\n" for name in (_MODEL, _WEIGHTS))


def _store(model: Any, folder: Path, save: Callable[..., None]) -> None:
    """Writes the digests last, so that an interrupted write is noticed. A full disk costs only the cached copy."""
    try:
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            new = Path(temporary)
            save(model, new / _MODEL, compress_to_fp16=False)
            (new / _DIGESTS).write_text(_digests(new), encoding="ascii")
            for name in (_WEIGHTS, _MODEL, _DIGESTS):
                os.replace(new / name, folder / name)
    except (OSError, RuntimeError):
        return
