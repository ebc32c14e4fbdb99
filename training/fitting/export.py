"""The OpenVINO model of a bundle: the same network with 8-bit integers, for CPUs."""

import itertools
import logging
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import INT8, INT8_WEIGHTS
from models.engines.openvino import convert, load_openvino
from models.head import FOODS, OTHERS
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP

if TYPE_CHECKING:
    import keras

_LARGE = 1 << 18  # bytes

CALIBRATION_PHOTOS = 300
"""Photos that the ranges of the activations are measured on; NNCF's default."""


def export_int8(network: "keras.Model", photos: Iterable[Pixels], folder: Path) -> tuple[str, str]:
    """Quantises a network after training (NNCF) and writes it to `folder`; returns the names of the two files.

    photos: uint8 RGB (side, side, 3) of the training split; the first `CALIBRATION_PHOTOS` are used.
    """
    openvino = load_openvino()
    os.environ.setdefault("NNCF_CI", "1")  # or it would report its use to its makers, without asking
    import nncf

    nncf.set_log_level(logging.WARNING)
    batches = [photo[None] for photo in itertools.islice(photos, CALIBRATION_PHOTOS)]
    model = convert(network)
    # The head's end stays as it is: it costs a thousandth of the network, and exponentials of 8-bit numbers say nothing.
    head = nncf.IgnoredScope(names=_after_last_map(model), validate=False)
    quantised = nncf.quantize(model, nncf.Dataset(batches), subset_size=len(batches), ignored_scope=head)
    _halve(openvino, quantised)
    openvino.save_model(quantised, folder / INT8)
    return INT8, INT8_WEIGHTS


def _after_last_map(model: Any) -> list[str]:
    """Names of the steps of an OpenVINO model after the tensor named LAST_MAP but for the products with ImageNet's classes."""
    (source,) = (out for step in model.get_ops() for out in step.outputs() if LAST_MAP in out.get_names())
    names: list[str] = []
    waiting = [source]
    while waiting:
        for target in waiting.pop().get_target_inputs():
            step = target.get_node()
            if step.get_type_name() != "Result" and step.get_friendly_name() not in names:
                names.append(step.get_friendly_name())
                waiting.extend(step.outputs())
    return [name for name in names if f"/{FOODS}_" not in name and f"/{OTHERS}_" not in name]


def _halve(openvino: Any, model: Any) -> None:
    """Stores large float32 constants as float16, which OpenVINO itself leaves undone before an exponential."""
    for constant in model.get_ops():
        if constant.get_type_name() != "Constant" or constant.get_element_type() != openvino.Type.f32:
            continue
        if constant.get_output_size() and constant.data.nbytes > _LARGE:
            targets = constant.output(0).get_target_inputs()
            half = openvino.opset1.constant(constant.data.astype(np.float16))
            whole = openvino.opset1.convert(half, "f32")
            for target in targets:
                target.replace_source_output(whole.output(0))
