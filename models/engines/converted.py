"""The float32 network in OpenVINO's form, kept in the cache: converting it takes TensorFlow and some seconds."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.bundle import Bundle, file_sha256
from models.cache import private_folder

_MODEL, _WEIGHTS, _DIGESTS = "float32.xml", "float32.bin", "sha256"


def converted(core: Any, bundle: Bundle, convert: Callable[[Bundle], Any]) -> Any:
    """The float32 `openvino.Model` of a bundle, from the cache, or made by `convert` and kept there where that can be done.

    A damaged copy is made anew. core: an `openvino.Core`.
    """
    import openvino

    folder = private_folder(f"{bundle.sha256[:16]}-openvino-{openvino.__version__.split('-')[0]}")
    if folder is not None and _whole(folder):
        return core.read_model(folder / _MODEL)
    model = convert(bundle)
    if folder is not None:
        _keep(model, folder, openvino.save_model)
    return model


def _whole(folder: Path) -> bool:
    try:
        return (folder / _DIGESTS).read_text(encoding="ascii") == _digests(folder)
    except (OSError, UnicodeDecodeError):
        return False


def _digests(folder: Path) -> str:
    return "".join(f"{file_sha256(folder / name)}\n" for name in (_MODEL, _WEIGHTS))


def _keep(model: Any, folder: Path, save: Callable[..., None]) -> None:
    """The digests come last, so that what was cut short is not taken for whole. A full disk costs the copy alone."""
    try:
        with tempfile.TemporaryDirectory(dir=folder) as beside:
            fresh = Path(beside)
            save(model, fresh / _MODEL, compress_to_fp16=False)
            (fresh / _DIGESTS).write_text(_digests(fresh), encoding="ascii")
            for name in (_WEIGHTS, _MODEL, _DIGESTS):
                os.replace(fresh / name, folder / name)
    except (OSError, RuntimeError):
        return
