"""Runs a bundle with TensorFlow: mixed float16 on a GPU, float32 on a CPU, fixed signatures for a ladder of batch sizes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.bundle import Bundle
from models.engines import Logits
from models.engines.ladder import rungs, steps
from models.errors import EngineError
from models.images import Pixels
from models.resnet50 import LOGIT

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

# Best batch for a ResNet-50 in TensorFlow on CPUs: larger ones leave the caches, and each rung costs a second to trace.
_CPU_TOP = 8


def gpu_present(device_folder: Path = Path("/dev")) -> bool:
    """Whether a GPU's device node exists (NVIDIA, or AMD's /dev/kfd). Asking TensorFlow would cost its import."""
    return any(device_folder.glob("nvidia[0-9]*")) or (device_folder / "kfd").exists()


class TensorFlowEngine:
    """One `tf.function` a rung of the ladder, traced and run once before use, so that no photo waits for a compiler."""

    def __init__(self, bundle: Bundle, max_batch: int) -> None:
        """Raises BundleError when the network cannot be loaded, EngineError when not even one photo fits the device."""
        tf = _tensorflow()
        on_gpu = gpu_present() and _use_gpus(tf)
        self.name = "tensorflow gpu" if on_gpu else "tensorflow cpu"
        self._side = bundle.card.fit.side
        network = bundle.network()
        if on_gpu:
            _mix_float16(network)
        self._run = {
            rung: self._traced(network, rung) for rung in rungs(max_batch if on_gpu else min(max_batch, _CPU_TOP))
        }
        self._out_of_memory = tf.errors.ResourceExhaustedError
        self._warm()

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,). Halves its largest batch each time the device runs out of memory."""
        while True:
            try:
                return self._logits(pixels)
            except self._out_of_memory as error:
                self._halve(error)

    def _logits(self, pixels: Pixels) -> Logits:
        parts, at = [], 0
        for photos, rung in steps(len(pixels), tuple(self._run)):
            chunk = pixels[at : at + photos]
            if photos < rung:
                chunk = np.concatenate([chunk, np.zeros((rung - photos, *chunk.shape[1:]), np.uint8)])
            parts.append(np.asarray(self._run[rung](chunk))[:photos, 0])
            at += photos
        return np.concatenate(parts).astype(np.float32)

    def _warm(self) -> None:
        for rung in tuple(self._run):
            if rung in self._run:  # a smaller rung may have run out of memory and taken the larger ones along
                self.logits(np.zeros((rung, self._side, self._side, 3), np.uint8))

    def _halve(self, error: Exception) -> None:
        if len(self._run) == 1:
            raise EngineError(
                "the GPU has too little free memory for one photo; free some, or set model.engine to openvino"
            ) from error
        del self._run[max(self._run)]

    def _traced(self, network: "keras.Model", rung: int) -> Callable[[Pixels], "tf.Tensor"]:
        import tensorflow as tf

        signature = [tf.TensorSpec((rung, self._side, self._side, 3), tf.uint8)]
        traced: Callable[[Pixels], tf.Tensor] = tf.function(
            lambda pixels: network(pixels, training=False), input_signature=signature
        )
        return traced


def _tensorflow() -> Any:  # TensorFlow has no types to name
    if not gpu_present():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import tensorflow as tf

    return tf


def _use_gpus(tf: Any) -> bool:
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Without it TensorFlow takes all of the GPU's memory from whoever shares it.
        tf.config.experimental.set_memory_growth(gpu, True)
    return bool(gpus)


def _mix_float16(network: "keras.Model") -> None:
    """Computes in float16 with float32 variables (Micikevicius et al. 2018); the logit's layer stays float32."""
    for layer in network.layers:
        if layer.name != LOGIT:
            layer.dtype_policy = "mixed_float16"
