"""The OpenVINO model of a bundle: the same network with 8-bit integers, for CPUs."""

import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from models.bundle import INT8, INT8_WEIGHTS
from models.engines.openvino import convert, load_openvino
from models.images import Pixels

if TYPE_CHECKING:
    import keras

CALIBRATION_PHOTOS = 300
"""Photos that the ranges of the activations are measured on; NNCF's default."""


def export_int8(network: "keras.Model", photos: Iterable[Pixels], folder: Path) -> tuple[str, str]:
    """Quantises a network after training (NNCF) and writes it to `folder`; returns the names of the two files.

    photos: uint8 RGB (side, side, 3) of the training split; the first `CALIBRATION_PHOTOS` are used.
    """
    openvino = load_openvino()
    os.environ.setdefault("NNCF_CI", "1")  # or it would report its use to its makers, without asking
    import nncf

    batches = [photo[None] for photo in itertools.islice(photos, CALIBRATION_PHOTOS)]
    quantised = nncf.quantize(convert(network), nncf.Dataset(batches), subset_size=len(batches))
    openvino.save_model(quantised, folder / INT8)
    return INT8, INT8_WEIGHTS
