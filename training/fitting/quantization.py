"""Quantization of a network to 8-bit integers, as an OpenVINO model for CPUs."""

import itertools
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import INT8, INT8_WEIGHTS
from models.cascade import reduce
from models.engines.openvino_graph import convert, load_openvino
from models.head import FOODS, OTHERS
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP
from training.fitting.checkpoint import Checkpoint
from training.fitting.recipe import Recipe

if TYPE_CHECKING:
    import keras

CALIBRATION_PHOTOS = 300
"""Photos on which the ranges of the activations are measured; NNCF's default."""
_LARGE_BYTES = 1 << 18
_QUANTIZED = "quantized"
"""Folder of the 8-bit network in the checkpoint."""


def quantize(network: "keras.Model", pixels: Pixels, recipe: Recipe, checkpoint: Checkpoint) -> Path:
    """Returns the folder of the 8-bit network, which it makes if an interrupted training has not.

    Args:
        network: The float32 network without heads.
        pixels: Photos of the training split, uint8 RGB (n, side, side, 3); some are drawn at random.
        recipe: The hyper-parameters.
        checkpoint: Keeps the network.
    """
    if (folder := checkpoint.path(_QUANTIZED)) is not None:
        return folder
    order = np.random.default_rng(recipe.seed).permutation(len(pixels))

    def make(part: Path) -> None:
        shutil.rmtree(part, ignore_errors=True)  # of an interrupted run
        part.mkdir()
        export_int8(network, (pixels[row] for row in order), part, recipe.cascade_side)

    return checkpoint.write(_QUANTIZED, make)


def export_int8(
    network: "keras.Model", photos: Iterable[Pixels], folder: Path, cascade_side: int = 0
) -> tuple[str, str]:
    """Quantizes a network after training (NNCF) and writes it to a folder.

    Args:
        network: The float32 network without heads.
        photos: uint8 RGB (side, side, 3) of the training split; the first `CALIBRATION_PHOTOS` are used.
        folder: Folder of the bundle.
        cascade_side: Every other photo is reduced to this side (pixels), if it is not 0.

    Returns:
        The names of the two files.
    """
    openvino = load_openvino()
    os.environ.setdefault("NNCF_CI", "1")  # NNCF sends usage statistics to its makers otherwise
    import nncf

    nncf.set_log_level(logging.WARNING)
    batches = [photo[None] for photo in itertools.islice(photos, CALIBRATION_PHOTOS)]
    if cascade_side:
        batches[1::2] = [reduce(batch, cascade_side) for batch in batches[1::2]]
    model = convert(network)
    # The end of the head stays in floating point: it takes a thousandth of the network's time, and 8 bits are too few
    # for exponentials.
    head = nncf.IgnoredScope(names=_operations_after_last_map(model), validate=False)
    quantized = nncf.quantize(model, nncf.Dataset(batches), subset_size=len(batches), ignored_scope=head)
    _compress_constants(openvino, quantized)
    openvino.save_model(quantized, folder / INT8)
    return INT8, INT8_WEIGHTS


def _operations_after_last_map(model: Any) -> list[str]:
    """Names of the operations after the tensor LAST_MAP, without the two products with ImageNet's class weights."""
    (source,) = (out for operation in model.get_ops() for out in operation.outputs() if LAST_MAP in out.get_names())
    names: list[str] = []
    pending = [source]
    while pending:
        for target in pending.pop().get_target_inputs():
            operation = target.get_node()
            if operation.get_type_name() != "Result" and operation.get_friendly_name() not in names:
                names.append(operation.get_friendly_name())
                pending.extend(operation.outputs())
    return [name for name in names if f"/{FOODS}_" not in name and f"/{OTHERS}_" not in name]


def _compress_constants(openvino: Any, model: Any) -> None:
    """Stores large float32 constants as float16, which OpenVINO itself does not do before an exponential."""
    for constant in model.get_ops():
        if constant.get_type_name() != "Constant" or constant.get_element_type() != openvino.Type.f32:
            continue
        if constant.get_output_size() and constant.data.nbytes > _LARGE_BYTES:
            targets = constant.output(0).get_target_inputs()
            half = openvino.opset1.constant(constant.data.astype(np.float16))
            full = openvino.opset1.convert(half, "f32")
            for target in targets:
                target.replace_source_output(full.output(0))
