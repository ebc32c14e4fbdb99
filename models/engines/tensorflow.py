"""Runs a bundle with TensorFlow, on a ladder of batch sizes: mixed float16 on a GPU, bfloat16 or float32 on a CPU."""

import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models import Precision
from models.bundle import Bundle
from models.engines import tensorflow_graph as graph
from models.engines.base import Logits, Maps, outputs_of
from models.engines.gpu import gpu_present
from models.engines.ladder import run_in_rungs, rungs
from models.errors import EngineError
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP

# The fastest batch for a ResNet-50 on CPUs: larger ones do not fit the caches.
_CPU_MAX_BATCH = 8
_CPU_STREAMS = 4
_GPU_STREAMS = 2  # the pixels of one batch cross the bus while the GPU works on another
_CPU = "CPU:0"


class TensorFlowEngine:
    """Runs one `tf.function`, traced once, on batches of a few sizes, each warmed up before the first photo."""

    def __init__(self, bundle: Bundle, max_batch: int, precision: Precision = "auto", gpu: str | None = None) -> None:
        """Loads and warms the network.

        Args:
            bundle: The model.
            max_batch: Largest batch (photos); on a CPU this engine uses at most 8.
            precision: `auto` computes in float16 on a GPU and in bfloat16 on a CPU that supports it.
            gpu: TensorFlow's name of the GPU, such as `GPU:0`; None for the CPU.

        Raises:
            BundleError: The network cannot be loaded.
            EngineError: The device has too little memory for a single photo.
        """
        tf = self._tf = load_tensorflow()
        self._device = gpu or _CPU
        self.name = "tensorflow gpu" if gpu else "tensorflow cpu"
        self.streams = _GPU_STREAMS if gpu else _share_cores(tf)
        self.ladder = rungs(max_batch if gpu else min(max_batch, _CPU_MAX_BATCH))
        # On a GPU the chunks of a batch run one after another, so only the streams compete for memory.
        self._threads = None if gpu else ThreadPoolExecutor(self.streams)
        self._shrink_lock = threading.Lock()
        with tf.device(self._device):
            self._network = network = bundle.load_network()
        if gpu and precision == "auto":
            graph.mix_float16(network)
        # TensorFlow itself chooses the operations in bfloat16; Keras' mixed_bfloat16 casts so often that it gains half
        # as much.
        bfloat16 = not gpu and precision == "auto" and multiplies_bfloat16()
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": bfloat16})
        self._bundle = bundle
        pixels = [np.zeros((1, side, side, 3), np.uint8) for side in bundle.used_sides]
        self._run = (
            graph.compile_network(network, self._device, pixels[0]) if gpu else graph.freeze(graph.trace(network))
        )
        # The device's libraries build their kernels at the first batch of each size.
        for rung in self.ladder:
            for photo in pixels:
                self.logits(photo.repeat(rung, axis=0))

    @property
    def largest(self) -> int:
        """The largest batch that runs at once; it shrinks when the device runs out of memory."""
        return self.ladder[-1]

    def logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n,).

        Drops the largest batch size whenever the device runs out of memory.

        Raises:
            EngineError: The device has too little memory for a single photo, or has failed.
        """
        return self.all_logits(pixels)[:, 0]

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes the logits of the model and of its candidate, uint8 RGB (n, side, side, 3) → float32 (n, m).

        See `logits`.
        """
        outputs = outputs_of(self._bundle, pixels.shape[1])
        return self._run_in_rungs(self._run, pixels)[:, outputs]

    def last_map(self, pixels: Pixels) -> Maps:
        """Computes feature maps, uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048); see `logits`.

        Traced at the first call.
        """
        return self._run_in_rungs(self._run_to_map, pixels)

    @cached_property
    def _run_to_map(self) -> Any:
        import keras

        return graph.trace(keras.Model(self._network.input, self._network.get_layer(LAST_MAP).output))

    def _run_in_rungs(self, run: Callable[[Pixels], Any], pixels: Pixels) -> npt.NDArray[np.float32]:
        def run_on_device(chunk: Pixels) -> npt.NDArray[Any]:
            with self._tf.device(self._device):  # applies to this thread only
                return np.asarray(run(chunk))

        errors = self._tf.errors
        while True:
            ladder = self.ladder
            try:
                return run_in_rungs(run_on_device, pixels, ladder, self._threads)
            except errors.ResourceExhaustedError as error:
                self._shrink(ladder, error)
            except errors.OpError as error:
                raise EngineError(f"{self.name} has failed: {' '.join(error.message.split())[:200]}") from error

    def _shrink(self, ladder: tuple[int, ...], error: Exception) -> None:
        """Drops the largest batch size after memory ran out, unless another thread has already done so."""
        with self._shrink_lock:
            if self.ladder == ladder:
                if len(ladder) == 1:
                    raise EngineError(
                        f"{self.name} has too little free memory for one photo; free some, or hide the GPU with "
                        "CUDA_VISIBLE_DEVICES=-1"
                    ) from error
                self.ladder = ladder[:-1]


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has instructions for bfloat16 (AVX-512 BF16 or AMX); without them bfloat16 is no faster."""
    try:
        return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpuinfo.read_text().split())
    except OSError:
        return False


def load_tensorflow() -> Any:
    """Imports TensorFlow and hides the notes about CUDA and CPU flags that its C++ code always prints at start.

    Without a GPU, its later log messages about missing GPUs are turned off too; errors still raise.
    """
    if not gpu_present():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # overrides keras.json
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if gpu_present() else "3")
    with tempfile.TemporaryFile() as captured:
        stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            import tensorflow as tf
        except BaseException:
            captured.seek(0)
            os.write(stderr, captured.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    return tf


def first_gpu() -> str | None:
    """Returns TensorFlow's name of a usable GPU, or None; memory is allocated as needed, since others may share it."""
    tf = load_tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with suppress(RuntimeError):  # too late where TensorFlow has run in this process already
            tf.config.experimental.set_memory_growth(gpu, True)
    return "GPU:0" if gpus else None


def _share_cores(tf: Any) -> int:
    """Divides the cores among few streams, so that none waits for a busy core; returns the number of streams."""
    cores = len(os.sched_getaffinity(0))
    streams = min(cores, _CPU_STREAMS)
    with suppress(RuntimeError):  # too late where TensorFlow has run in this process already
        tf.config.threading.set_intra_op_parallelism_threads(cores // streams)
    return streams
