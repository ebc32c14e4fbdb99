"""Runs a bundle with OpenVINO on the CPU: its int8 model, or its float32 network, which is several times slower."""

import ctypes
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from queue import SimpleQueue
from typing import Any

import numpy as np

from models import Precision
from models.bundle import INT8, NETWORK, Bundle
from models.engines.base import Logits, Maps, outputs_of
from models.engines.ladder import run_in_rungs, rungs
from models.engines.openvino_cache import load_or_convert
from models.engines.openvino_graph import FLOAT32, attach_heads, convert_bundle, load_openvino
from models.errors import EngineError
from models.images.decode import Pixels
from models.resnet50 import LAST_MAP

# Larger batches are no faster on CPUs, and delay photos and a stop.
_MAX_BATCH = 8
# OpenVINO chooses how many batches to run at a time, each on its own threads. One batch on all cores is slower: at
# every layer its threads wait for the one whose core a decoder uses. For the same reason threads are not pinned to
# cores.
_THROUGHPUT = {"PERFORMANCE_HINT": "THROUGHPUT", "ENABLE_CPU_PINNING": False}
_M_ARENA_MAX = -8  # of glibc's malloc.h
_ARENAS = 2  # glibc has eight for each core otherwise, and each keeps some freed memory


class OpenVinoEngine:
    """Runs one small batch per stream."""

    def __init__(self, bundle: Bundle, max_batch: int, precision: Precision = "auto") -> None:
        """Compiles and warms the model.

        Args:
            bundle: The model.
            max_batch: Largest batch (photos); this engine uses at most 8.
            precision: `auto` runs the int8 model, `float32` the float32 network.

        Raises:
            EngineError: The bundle has no OpenVINO model, or this CPU cannot run it.
            BundleError: The network cannot be loaded.
        """
        _call_libc("mallopt", _M_ARENA_MAX, _ARENAS)
        int8 = precision == "auto"
        if int8 and INT8 not in bundle.card.files:
            raise EngineError(
                f"the bundle {bundle.model_name} has no OpenVINO model; set model.engine to auto or tensorflow"
            )
        self._bundle = bundle
        self._path = bundle.path(INT8 if int8 else NETWORK)
        self._hints = _THROUGHPUT | FLOAT32
        self._core = load_openvino().Core()
        model = self._compile()
        self.name = (
            f"openvino {'int8' if int8 else 'float32'} {self._core.get_property('CPU', 'FULL_DEVICE_NAME').strip()}"
        )
        full = bundle.card.fit.side
        self._ladder = rungs(min(max_batch, _MAX_BATCH))
        # As many pixels as in a full batch of the full side: then more photos share a second look. They run in chunks.
        self.largest = min(max_batch, _MAX_BATCH * full**2 // bundle.used_sides[-1] ** 2)
        self.streams: int = model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._threads = ThreadPoolExecutor(self.streams)
        self._requests: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.streams):
            self._requests.put(model.create_infer_request())
        self._warm(bundle.used_sides)
        _call_libc("malloc_trim", 0)  # compiling has freed much

    def _warm(self, sides: tuple[int, ...]) -> None:
        """Has each stream build its kernels, which it does at the first batch of a size."""
        # First in one thread: OpenVINO's bindings import NumPy at their first use, and two threads would deadlock
        # there.
        self.logits(np.zeros((1, sides[0], sides[0], 3), np.uint8))
        sizes = [(rung, side) for side in sides for rung in self._ladder for _ in range(self.streams)]
        list(self._threads.map(lambda size: self.logits(np.zeros((size[0], size[1], size[1], 3), np.uint8)), sizes))

    def logits(self, pixels: Pixels) -> Logits:
        """Computes logits, uint8 RGB (n, side, side, 3) → float32 (n,)."""
        return self.all_logits(pixels)[:, 0]

    def all_logits(self, pixels: Pixels) -> Logits:
        """Computes the logits of the model and of its candidate, uint8 RGB (n, side, side, 3) → float32 (n, m)."""
        outputs = outputs_of(self._bundle, pixels.shape[1])
        return run_in_rungs(self._run, pixels, self._ladder, self._threads)[:, outputs]

    def _run(self, chunk: Pixels) -> np.typing.NDArray[np.float32]:
        request = self._requests.get()
        try:
            return self._infer(request, chunk, 0)
        finally:
            self._requests.put(request)

    def last_map(self, pixels: Pixels) -> Maps:
        """Computes feature maps, uint8 RGB (n, side, side, 3) → float32 (n, h, w, 2048).

        The precision is that of the logits. The first call compiles the model again with a second output.

        Raises:
            EngineError: The model has no output of that name.
        """
        channels_first = run_in_rungs(
            lambda chunk: self._infer(self._map_request, chunk, LAST_MAP), pixels, self._ladder
        )
        return np.moveaxis(channels_first, 1, -1)

    @cached_property
    def _map_request(self) -> Any:
        return self._compile(LAST_MAP).create_infer_request()

    def _compile(self, *outputs: str) -> Any:
        try:
            model = self._read()
            names = {name for step in model.get_ops() for output in step.outputs() for name in output.get_names()}
            if not names.issuperset(outputs):
                raise EngineError(
                    f"{self._path} is an older model without a named last feature map; train the bundle again, "
                    "or explain it with the engine tensorflow"
                )
            model.add_outputs(list(outputs))
            return self._core.compile_model(model, "CPU", self._hints)
        except RuntimeError as error:
            raise self._cannot_run(error) from error

    def _read(self) -> Any:
        if self._path.name == INT8:
            model = self._core.read_model(self._path)
            heads = [head for bundle in self._bundle.all_models for head in bundle.heads.values()]
            return attach_heads(model, heads) if heads else model
        return load_or_convert(self._core, self._bundle, convert_bundle)

    def _infer(self, request: Any, pixels: Pixels, output: int | str) -> np.typing.NDArray[np.float32]:
        try:
            return np.array(request.infer({0: pixels})[output], np.float32)
        except RuntimeError as error:
            raise self._cannot_run(error) from error

    def _cannot_run(self, error: RuntimeError) -> EngineError:
        reason = " ".join(str(error).split())  # OpenVINO's message has line breaks
        return EngineError(f"OpenVINO cannot run {self._path}: {reason}; set model.engine to tensorflow")


def _call_libc(function: str, *numbers: int) -> None:
    """Calls a function of GNU's C library that saves memory; another library does not have it."""
    with suppress(AttributeError, OSError):
        getattr(ctypes.CDLL(None), function)(*numbers)
