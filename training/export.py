"""The OpenVINO model of a bundle: the same network with 8-bit integers, for CPUs."""

import itertools
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from models.bundle import INT8, INT8_WEIGHTS
from models.images import Pixels

if TYPE_CHECKING:
    import keras

CALIBRATION_PHOTOS = 300
"""Photos that the ranges of the activations are measured on; NNCF's default."""


def export_int8(network: "keras.Model", photos: Iterable[Pixels], folder: Path) -> tuple[str, str]:
    """Quantises a network after training (NNCF) and writes it to `folder`; returns the names of the two files.

    photos: uint8 RGB (side, side, 3) of the training split; the first `CALIBRATION_PHOTOS` are used.
    """
    # Both would report their use to their makers, without asking.
    os.environ.setdefault("NNCF_CI", "1")
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None: cannot be imported
    import nncf
    import openvino
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *network.input_shape[1:]), tf.uint8, name="pixels")]
    function = tf.function(lambda pixels: network(pixels, training=False), input_signature=signature, autograph=False)
    model = openvino.convert_model(function.get_concrete_function())
    batches = [photo[None] for photo in itertools.islice(photos, CALIBRATION_PHOTOS)]
    quantised = nncf.quantize(model, nncf.Dataset(batches), subset_size=len(batches))
    openvino.save_model(quantised, folder / INT8)
    return INT8, INT8_WEIGHTS
