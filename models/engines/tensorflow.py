"""Runs a bundle with TensorFlow, on a ladder of batch sizes: mixed float16 on a GPU, bfloat16 or float32 on a CPU."""

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models import Precision
from models.bundle import Bundle
from models.engines import Logits, Maps
from models.engines.gpu import gpu_present
from models.engines.ladder import climb, rungs
from models.errors import EngineError
from models.head import LAYERS
from models.images import Pixels
from models.resnet50 import LAST_MAP

if TYPE_CHECKING:
    import keras

# TensorFlow's fastest batch for a ResNet-50 on CPUs: larger ones leave the caches.
_CPU_TOP = 8
_CPU_STREAMS = 4


class TensorFlowEngine:
    """One `tf.function`, traced once, that only ever sees batches of a few sizes, each tried before the first photo comes."""

    def __init__(self, bundle: Bundle, max_batch: int, precision: Precision = "auto") -> None:
        """Raises BundleError when the network cannot be loaded, EngineError when not even one photo fits the device."""
        tf = load_tensorflow()
        on_gpu = gpu_present() and _use_gpus(tf)
        self.name = "tensorflow gpu" if on_gpu else "tensorflow cpu"
        self.streams = 1 if on_gpu else _share_cores(tf)
        self.ladder = rungs(max_batch if on_gpu else min(max_batch, _CPU_TOP))
        # On a GPU each rung waits for the one before, so that no more memory is asked for than that of one.
        self._threads = None if on_gpu else ThreadPoolExecutor(self.streams)
        network = bundle.network()
        if on_gpu and precision == "auto":
            mix_float16(network)
        # TensorFlow's own choice of what to compute in bfloat16; Keras' mixed_bfloat16 casts so often that it gains half as much.
        bfloat16 = not on_gpu and precision == "auto" and multiplies_bfloat16()
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": bfloat16})
        side = bundle.card.fit.side
        self._network = network
        self._run = traced(network) if on_gpu else frozen(traced(network))
        self._out_of_memory = tf.errors.ResourceExhaustedError
        # The device's libraries choose and build their kernels at the first batch of each size.
        for rung in self.ladder:
            self.logits(np.zeros((rung, side, side, 3), np.uint8))

    @property
    def largest(self) -> int:
        """The largest batch that runs in one go; smaller after the device ran out of memory."""
        return self.ladder[-1]

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,). Drops its largest batch size whenever the device's memory runs out.

        Raises EngineError when there is no room for a single photo.
        """
        return self._climb(self._run, pixels)[:, 0]

    def last_map(self, pixels: Pixels) -> Maps:
        """uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048). Traced at the first call; memory as for `logits`."""
        return self._climb(self._run_to_map, pixels)

    @cached_property
    def _run_to_map(self) -> Any:
        import keras

        return traced(keras.Model(self._network.input, self._network.get_layer(LAST_MAP).output))

    def _climb(self, run: Callable[[Pixels], Any], pixels: Pixels) -> npt.NDArray[np.float32]:
        while True:
            try:
                return climb(lambda chunk: np.asarray(run(chunk)), pixels, self.ladder, self._threads)
            except self._out_of_memory as error:
                if len(self.ladder) == 1:
                    raise EngineError(
                        "the GPU has too little free memory for one photo; free some, or hide it with CUDA_VISIBLE_DEVICES=-1"
                    ) from error
                self.ladder = self.ladder[:-1]


def traced(network: "keras.Model") -> Any:
    """The network, or a part of one, as a `tf.function` for inference.

    n is left open: a signature a batch size would cost a second and a half of tracing each.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *network.input_shape[1:]), network.input.dtype, name="pixels")]
    return tf.function(lambda pixels: network(pixels, training=False), input_signature=signature, autograph=False)


def frozen(function: Any) -> Any:
    """A function of `traced` with the weights as constants: TensorFlow then folds the batch normalisation into the kernels."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    run = convert_variables_to_constants_v2(function.get_concrete_function())
    return lambda pixels: run(tf.constant(pixels))[0]


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU has units for products of bfloat16 matrices (Intel's AMX); without them bfloat16 gains nothing."""
    try:
        return "amx_bf16" in cpuinfo.read_text().split()
    except OSError:
        return False


def load_tensorflow() -> Any:
    """Imports TensorFlow without the notes (no CUDA, which CPU flags) that its C++ start prints whatever one asks for.

    Where no GPU is present its later complaints about that are turned off too; what goes wrong still raises.
    """
    if not gpu_present():
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever a person's keras.json says
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2" if gpu_present() else "3")
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            import tensorflow as tf
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    return tf


def _use_gpus(tf: Any) -> bool:
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Without it TensorFlow takes all of the GPU's memory from whoever shares it.
        tf.config.experimental.set_memory_growth(gpu, True)
    return bool(gpus)


def _share_cores(tf: Any) -> int:
    """How many batches to run at a time: one a core while they are few, so that none waits for a core that decodes."""
    cores = len(os.sched_getaffinity(0))
    streams = min(cores, _CPU_STREAMS)
    with suppress(RuntimeError):  # in a process where TensorFlow has run already it keeps its threads
        tf.config.threading.set_intra_op_parallelism_threads(cores // streams)
    return streams


def mix_float16(network: "keras.Model") -> None:
    """Computes in float16 with float32 variables (Micikevicius et al. 2018); the head stays float32."""
    for layer in network.layers:
        if layer.name not in LAYERS:
            layer.dtype_policy = "mixed_float16"
