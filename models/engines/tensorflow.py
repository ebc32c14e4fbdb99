"""Runs a bundle with TensorFlow, on a ladder of batch sizes: mixed float16 on a GPU, bfloat16 or float32 on a CPU."""

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from models import OWNER, Precision
from models.bundle import Bundle
from models.engines import Logits, Maps
from models.engines.gpu import gpu_present
from models.engines.ladder import climb, rungs
from models.errors import EngineError
from models.head import LAYERS
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP

if TYPE_CHECKING:
    import keras

# TensorFlow's fastest batch for a ResNet-50 on CPUs: larger ones leave the caches.
_CPU_TOP = 8
_CPU_STREAMS = 4
_GPU_STREAMS = 2  # the pixels of one batch cross the bus while the GPU works on another
_CPU = "CPU:0"


class TensorFlowEngine:
    """One `tf.function`, traced once, that only ever sees batches of a few sizes, each tried before the first photo comes."""

    def __init__(self, bundle: Bundle, max_batch: int, precision: Precision = "auto", gpu: str | None = None) -> None:
        """gpu: TensorFlow's name of the GPU to run on, such as `GPU:0`; None: the CPU.

        Raises BundleError when the network cannot be loaded, EngineError when not even one photo fits the device.
        """
        tf = self._tf = load_tensorflow()
        self._device = gpu or _CPU
        self.name = "tensorflow gpu" if gpu else "tensorflow cpu"
        self.streams = _GPU_STREAMS if gpu else _share_cores(tf)
        self.ladder = rungs(max_batch if gpu else min(max_batch, _CPU_TOP))
        # On a GPU each rung of a batch waits for the one before, so that memory is asked for by the streams alone.
        self._threads = None if gpu else ThreadPoolExecutor(self.streams)
        self._shrinking = threading.Lock()
        with tf.device(self._device):
            self._network = network = bundle.network()
        if gpu and precision == "auto":
            mix_float16(network)
        # TensorFlow's own choice of what to compute in bfloat16; Keras' mixed_bfloat16 casts so often that it gains half as much.
        bfloat16 = not gpu and precision == "auto" and multiplies_bfloat16()
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": bfloat16})
        pixels = np.zeros((1, bundle.card.fit.side, bundle.card.fit.side, 3), np.uint8)
        self._run = _compiled(network, self._device, pixels) if gpu else frozen(traced(network))
        # The device's libraries choose and build their kernels at the first batch of each size.
        for rung in self.ladder:
            self.logits(pixels.repeat(rung, axis=0))

    @property
    def largest(self) -> int:
        """The largest batch that runs in one go; smaller after the device ran out of memory."""
        return self.ladder[-1]

    def logits(self, pixels: Pixels) -> Logits:
        """uint8 RGB (n, side, side, 3) → float32 (n,). Drops its largest batch size whenever the device's memory runs out.

        Raises EngineError when there is no room for a single photo, or when the device has failed.
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
        def answer(chunk: Pixels) -> npt.NDArray[Any]:
            with self._tf.device(self._device):  # of this thread alone
                return np.asarray(run(chunk))

        errors = self._tf.errors
        while True:
            ladder = self.ladder
            try:
                return climb(answer, pixels, ladder, self._threads)
            except errors.ResourceExhaustedError as error:
                self._shrink(ladder, error)
            except errors.OpError as error:
                raise EngineError(f"{self.name} has failed: {' '.join(error.message.split())[:200]}") from error

    def _shrink(self, ladder: tuple[int, ...], error: Exception) -> None:
        """Drops the top of a ladder on which memory ran out, unless another batch has done so meanwhile."""
        with self._shrinking:
            if self.ladder == ladder:
                if len(ladder) == 1:
                    raise EngineError(
                        f"{self.name} has too little free memory for one photo; free some, or hide the GPU with "
                        "CUDA_VISIBLE_DEVICES=-1"
                    ) from error
                self.ladder = ladder[:-1]


def traced(network: "keras.Model", *, compiled: bool = False) -> Any:
    """The network, or a part of one, as a `tf.function` for inference. compiled: by XLA, anew for each batch size.

    n is left open: a signature a batch size would cost a second and a half of tracing each.
    """
    import tensorflow as tf

    signature = [tf.TensorSpec((None, *network.input_shape[1:]), network.input.dtype, name="pixels")]
    return tf.function(
        lambda pixels: network(pixels, training=False),
        input_signature=signature,
        autograph=False,
        jit_compile=compiled or None,
    )


def _compiled(network: "keras.Model", device: str, pixels: Pixels) -> Any:
    """The network compiled by XLA, which joins its steps to fewer, longer ones; traced as it is where XLA cannot do that.

    Its compiler looks for parts of CUDA that TensorFlow itself does without.
    """
    import tensorflow as tf

    function = traced(network, compiled=True)
    try:
        with tf.device(device):
            function(pixels)
    except tf.errors.ResourceExhaustedError:
        return function
    except tf.errors.OpError as error:
        reason = " ".join(error.message.split())[:200]
        logging.getLogger(OWNER).warning("the network runs without XLA, more slowly: %s", reason)
        return traced(network)
    return function


def frozen(function: Any) -> Any:
    """A function of `traced` with the weights as constants: TensorFlow then folds the batch normalisation into the kernels."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    run = convert_variables_to_constants_v2(function.get_concrete_function())
    return lambda pixels: run(tf.constant(pixels))[0]


def multiplies_bfloat16(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether the CPU multiplies bfloat16 by itself (AVX-512 BF16, or AMX's units); elsewhere bfloat16 gains nothing."""
    try:
        return not {"avx512_bf16", "amx_bf16"}.isdisjoint(cpuinfo.read_text().split())
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


def first_gpu() -> str | None:
    """TensorFlow's name of a GPU that it can use, memory taken as needed, not all at once from whoever shares it; or None."""
    tf = load_tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        with suppress(RuntimeError):  # in a process where TensorFlow has run already it stays as it is
            tf.config.experimental.set_memory_growth(gpu, True)
    return "GPU:0" if gpus else None


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
